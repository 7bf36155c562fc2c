// A CUDA driver for tests of the launcher: it notes its calls in the file that CALLS names, and does on the host what the one
// kernel of those tests would do on a device. With OLD set it takes no code. Contexts are numbers: 1 + the device's.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE(...)                                \
  do {                                           \
    FILE *file = fopen(getenv("CALLS"), "a");    \
    fprintf(file, __VA_ARGS__);                  \
    fputc('\n', file);                           \
    fclose(file);                                \
  } while (0)

struct Upload {
  unsigned char *to;
  long long count;
  unsigned char bytes[3968];
};

extern "C" {
int cuInit(unsigned) { NOTE("cuInit"); return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGet(int *device, int ordinal) { NOTE("cuDeviceGet %d", ordinal); *device = ordinal; return 0; }
int cuDevicePrimaryCtxRetain(intptr_t *context, int device) { NOTE("cuDevicePrimaryCtxRetain %d", device); *context = device + 1; return 0; }
int cuCtxPushCurrent_v2(intptr_t context) { NOTE("push %ld", (long)context - 1); return 0; }
int cuCtxPopCurrent_v2(intptr_t *context) { NOTE("pop"); *context = 0; return 0; }
int cuModuleLoadData(intptr_t *module, const char *image) {
  NOTE("cuModuleLoadData %.3s", image + 1);
  *module = 5;
  return getenv("OLD") ? 222 : 0;  // CUDA_ERROR_UNSUPPORTED_PTX_VERSION
}
int cuModuleGetFunction(intptr_t *function, intptr_t, const char *name) {
  NOTE("cuModuleGetFunction %s", name);
  *function = 6;
  return getenv("EMPTY") ? 500 : 0;  // CUDA_ERROR_NOT_FOUND
}
int cuFuncSetAttribute(intptr_t, int attribute, int value) { NOTE("attribute %d %d", attribute, value); return 0; }
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, intptr_t, int threads, size_t bytes) {
  NOTE("occupancy %d %zu", threads, bytes);
  *blocks = threads > 512 ? 0 : 3;
  return 0;
}
int cuLaunchKernel(intptr_t, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned bytes,
                   intptr_t stream, void **arguments, void **) {
  const Upload *task = (const Upload *)arguments[0];
  NOTE("launch %u %u %u %u %u %u %u %lx %lld", gx, gy, gz, bx, by, bz, bytes, (long)stream, task->count);
  memcpy(task->to, task->bytes, task->count);
  return 0;
}
int cuGetProcAddress_v2(const char *name, void **found, int, uint64_t, int *status) {
  static void *const self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  char versioned[200];
  snprintf(versioned, sizeof versioned, "%s_v2", name);
  *found = dlsym(self, versioned);
  if (!*found) *found = dlsym(self, name);
  if (status) *status = *found ? 0 : 1;
  return *found ? 0 : 500;  // CUDA_ERROR_NOT_FOUND
}
int cuGetProcAddress(const char *name, void **found, int version, uint64_t flags) { return cuGetProcAddress_v2(name, found, version, flags, nullptr); }
}

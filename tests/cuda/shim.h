// CUDA's words for a C++ compiler on the CPU: blocks one after another, and threads of a block one after another, for the threads of
// lane kernels never wait for each other. Stands in front of a kernel's text, which is compiled as it is.

#include <math.h>
#include <string.h>

#define __device__
#define __global__
#define __shared__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __launch_bounds__(...)

struct Three { unsigned x = 0, y = 0, z = 0; };
static Three threadIdx, blockIdx, blockDim, gridDim;

static inline unsigned long long atomicAdd(unsigned long long *to, unsigned long long n) {
  const unsigned long long before = *to;
  *to += n;
  return before;
}

// CUDA's functions that C has not.
static inline double erfcx(double x) {
  const long double square = (long double)x * x;
  if (x < 26) return double(expl(square) * erfcl(x));
  long double sum = 1, term = 1;
  for (int k = 1; k < 8; k++) sum += term *= (1 - 2 * k) / (2 * square);
  return double(0.56418958354775628694807945156077259L / x * sum);
}
static inline double erfinv(double x) {
  if (!(fabs(x) < 1)) return fabs(x) == 1 ? x * INFINITY : NAN;
  long double y = x == 0 ? 0 : x < 0 ? -1 : 1;
  for (int k = 0; k < 200 && x != 0; k++) {
    const long double size = fabsl(y);
    const long double off = fabs(x) < 0.5 ? erfl(size) - fabsl(x) : (1 - fabsl(x)) - erfcl(size);
    const long double step = off * 0.88622692545275801364908374167057259L * expl(size * size);
    y += (x < 0 ? 1 : -1) * step / (1 + size * step);
    if (fabsl(step) <= 1e-19L * size) break;
  }
  return double(y);
}

// CUDA's words for a C++ compiler on the CPU. Stands in front of a kernel's text, which is compiled as it is. Threads run one after
// another, for those of lane kernels never wait for each other; or, with SHIM_FIBRES, in turns: each takes part of a step, so that
// numbers which two of them would share are spoiled.

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

#ifdef SHIM_FIBRES
#include <ucontext.h>
struct Fibre {
  ucontext_t context;
  Three thread, block;
  bool over;
};
static Fibre *running;
static ucontext_t home;
// The next thread's turn: every step takes the size of a number.
static inline void pass() { swapcontext(&running->context, &home); }
static inline float passing(float x) { return pass(), __builtin_fabsf(x); }
static inline double passing(double x) { return pass(), __builtin_fabs(x); }
#define fabsf passing
#define fabs passing
#endif

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
  if (!(__builtin_fabs(x) < 1)) return __builtin_fabs(x) == 1 ? x * INFINITY : NAN;
  long double y = x == 0 ? 0 : x < 0 ? -1 : 1;
  for (int k = 0; k < 200 && x != 0; k++) {
    const long double size = fabsl(y);
    const long double off = __builtin_fabs(x) < 0.5 ? erfl(size) - fabsl(x) : (1 - fabsl(x)) - erfcl(size);
    const long double step = off * 0.88622692545275801364908374167057259L * expl(size * size);
    y += (x < 0 ? 1 : -1) * step / (1 + size * step);
    if (fabsl(step) <= 1e-19L * size) break;
  }
  return double(y);
}

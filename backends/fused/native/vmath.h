// Vector math for emitted kernels: functions of vectors whose elements are lanes, by GCC's and Clang's vector extensions.
//
// Needs C++17; includes nothing but glibc's version, so that a kernel compiles fast. Its text stands before each kernel.
// V is any Vec<float, W> or Vec<double, W>, W a power of two, narrower or wider than a register. A mask is what comparing
// two vectors gives: integers of the elements' size, -1 or 0. Every function is accurate to 4 ulp unless its comment says
// otherwise, and has C's values at NaN, infinities, signed zeros and subnormals. A lane's bits depend on that lane alone:
// not on its neighbours, its place, or W.
//
// A new function is one line in the tables of section 3, or a template in section 4, and one line in the tests' table.
#if __has_include(<features.h>)
#include <features.h>
#endif

namespace lw {

// 1. Vectors ---------------------------------------------------------------------------------------------------------

template <class T, int W> struct VecOf { typedef T type __attribute__((vector_size(W * sizeof(T)))); };
template <class T, int W> using Vec = typename VecOf<T, W>::type;

template <class T> struct Bare { using type = T; };
template <class T> struct Bare<T &> { using type = T; };
template <class V> V &made();
template <class V> using Element = typename Bare<decltype(made<V>()[0])>::type;
template <class V> using Mask = decltype(made<V>() < made<V>());
template <class V> constexpr int lanes = sizeof(V) / sizeof(Element<V>);

// x in every lane: one broadcast, for x - 0 is x for every x, -0.0 and NaN among them.
template <class V> inline V splat(Element<V> x) { return x - V{}; }

template <class V> inline V select(Mask<V> mask, V a, V b) { return mask ? a : b; }

// f of each lane's scalars, in a loop that the compiler may turn into vector instructions.
template <class F, class V, class... Vs> inline V each(F f, V v, Vs... more) {
  V r;
  for (int i = 0; i < lanes<V>; i++) r[i] = f(v[i], more[i]...);
  return r;
}

// The same for a call that stays scalar: a small loop, compiled once for all its uses.
template <class F, class V, class... Vs> __attribute__((noinline)) V call_each(F f, V v, Vs... more) {
  V r;
#pragma GCC unroll 1
  for (int i = 0; i < lanes<V>; i++) r[i] = f(v[i], more[i]...);
  return r;
}

// Whoever writes a loop says whether it is written out; the compiler's own passes would write out all that have some
// rounds, and then take most of their time over what that makes.
#define LW_PRAGMA(WORDS) _Pragma(#WORDS)
#if defined(__clang__)
#define LW_LOOP _Pragma("nounroll")
#define LW_TILES LW_LOOP
#define LW_WRITTEN_OUT(N) LW_PRAGMA(unroll N)
#else
#define LW_LOOP _Pragma("GCC unroll 1")
#define LW_TILES  // GCC walks by pointers through a loop that it must keep, and then cannot count the rounds of a loop inside
#define LW_WRITTEN_OUT(N) LW_PRAGMA(GCC unroll N)
#endif
#define LW_ROUNDS LW_LOOP  // of a fori_loop

// A statement for several vectors, one after the other, before the next statement: chains of operations abreast.
#define LW_INTERLEAVE(N) LW_WRITTEN_OUT(16) for (int u = 0; u < N; u++)

// 2. The registers of the target, and glibc's vector functions by the names of its vector ABI ------------------------

#if defined(__GLIBC__)
#define LW_GLIBC (__GLIBC__ * 100 + __GLIBC_MINOR__)
#else
#define LW_GLIBC 0
#endif

// LW_D1, LW_S1: the function of one double, float register; LW_D2, LW_S2: of two.
#if defined(__AVX512F__)
#define LW_REGISTER 64
#define LW_D1(NAME) _ZGVeN8v_##NAME
#define LW_S1(NAME) _ZGVeN16v_##NAME##f
#define LW_D2(NAME) _ZGVeN8vv_##NAME
#define LW_S2(NAME) _ZGVeN16vv_##NAME##f
#elif defined(__AVX2__)
#define LW_REGISTER 32
#define LW_D1(NAME) _ZGVdN4v_##NAME
#define LW_S1(NAME) _ZGVdN8v_##NAME##f
#define LW_D2(NAME) _ZGVdN4vv_##NAME
#define LW_S2(NAME) _ZGVdN8vv_##NAME##f
#elif defined(__aarch64__)
#define LW_REGISTER 16
#define LW_D1(NAME) _ZGVnN2v_##NAME
#define LW_S1(NAME) _ZGVnN4v_##NAME##f
#define LW_D2(NAME) _ZGVnN2vv_##NAME
#define LW_S2(NAME) _ZGVnN4vv_##NAME##f
#else
#define LW_REGISTER 16
#define LW_D1(NAME) _ZGVbN2v_##NAME
#define LW_S1(NAME) _ZGVbN4v_##NAME##f
#define LW_D2(NAME) _ZGVbN2vv_##NAME
#define LW_S2(NAME) _ZGVbN4vv_##NAME##f
#endif

// Whether this glibc has a vector function, by the version that brought it to x86-64 and to AArch64.
#if defined(__x86_64__) && !defined(__ILP32__)
#define LW_HAS(X86, ARM) (LW_GLIBC >= X86)
#define LW_CONVENTION
#elif defined(__aarch64__) && !defined(LW_PLAIN)
#define LW_HAS(X86, ARM) (LW_GLIBC >= ARM)
#define LW_CONVENTION __attribute__((aarch64_vector_pcs))
#else
#define LW_HAS(X86, ARM) false
#define LW_CONVENTION
#endif

template <class T> using Register = Vec<T, LW_REGISTER / sizeof(T)>;

// The register of v that begins at a lane; a vector narrower than a register is repeated in it.
template <class V> inline Register<Element<V>> part(V v, int first) {
  Register<Element<V>> r;
  if constexpr (sizeof(V) >= LW_REGISTER)
    __builtin_memcpy(&r, reinterpret_cast<const char *>(&v) + first * sizeof(v[0]), LW_REGISTER);
  else
    for (int i = 0; i < lanes<decltype(r)>; i++) r[i] = v[i % lanes<V>];
  return r;
}

// f, a function of registers, of vectors of any width.
template <class F, class V, class... Vs> inline V by_register(F f, V v, Vs... more) {
  constexpr int step = LW_REGISTER / sizeof(v[0]);
  V r;
  for (int i = 0; i < lanes<V>; i += step) {
    Register<Element<V>> done = f(part(v, i), part(more, i)...);
    __builtin_memcpy(reinterpret_cast<char *>(&r) + i * sizeof(v[0]), &done, sizeof(V) < LW_REGISTER ? sizeof(V) : LW_REGISTER);
  }
  return r;
}

// 3. Functions of C's library: tables, one line each -----------------------------------------------------------------

// NAME of C's library, in a loop over the lanes.
#define LW_SCALAR1(NAME)                                    \
  inline double c_##NAME(double x) { return __builtin_##NAME(x); } \
  inline float c_##NAME(float x) { return __builtin_##NAME##f(x); }
#define LW_SCALAR2(NAME)                                              \
  inline double c_##NAME(double x, double y) { return __builtin_##NAME(x, y); } \
  inline float c_##NAME(float x, float y) { return __builtin_##NAME##f(x, y); }
#define LW_LOOP1(NAME) \
  LW_SCALAR1(NAME)     \
  template <class V> inline V NAME(V v) { return call_each([](auto x) { return c_##NAME(x); }, v); }
#define LW_LOOP2(NAME) \
  LW_SCALAR2(NAME)     \
  template <class V> inline V NAME(V v, V w) { return call_each([](auto x, auto y) { return c_##NAME(x, y); }, v, w); }

// NAME of glibc's vector library, where this glibc has it, else of C's library in a loop.
#define LW_VECTOR1(NAME, X86, ARM)                                                          \
  extern "C" LW_CONVENTION Register<double> LW_D1(NAME)(Register<double>);                  \
  extern "C" LW_CONVENTION Register<float> LW_S1(NAME)(Register<float>);                    \
  inline Register<double> r_##NAME(Register<double> x) { return LW_D1(NAME)(x); }           \
  inline Register<float> r_##NAME(Register<float> x) { return LW_S1(NAME)(x); }             \
  LW_SCALAR1(NAME)                                                                          \
  template <class V> inline V NAME(V v) {                                                   \
    if constexpr (LW_HAS(X86, ARM) && sizeof(V) != 0)                                       \
      return by_register([](auto x) { return r_##NAME(x); }, v);                            \
    else                                                                                    \
      return call_each([](auto x) { return c_##NAME(x); }, v);                              \
  }
#define LW_VECTOR2(NAME, X86, ARM)                                                                     \
  extern "C" LW_CONVENTION Register<double> LW_D2(NAME)(Register<double>, Register<double>);           \
  extern "C" LW_CONVENTION Register<float> LW_S2(NAME)(Register<float>, Register<float>);              \
  inline Register<double> r_##NAME(Register<double> x, Register<double> y) { return LW_D2(NAME)(x, y); } \
  inline Register<float> r_##NAME(Register<float> x, Register<float> y) { return LW_S2(NAME)(x, y); }  \
  LW_SCALAR2(NAME)                                                                                     \
  template <class V> inline V NAME(V v, V w) {                                                         \
    if constexpr (LW_HAS(X86, ARM) && sizeof(V) != 0)                                                  \
      return by_register([](auto x, auto y) { return r_##NAME(x, y); }, v, w);                         \
    else                                                                                               \
      return call_each([](auto x, auto y) { return c_##NAME(x, y); }, v, w);                           \
  }

LW_VECTOR1(log, 222, 238)
LW_VECTOR1(sin, 222, 238)
LW_VECTOR1(cos, 222, 238)
LW_VECTOR1(exp2, 235, 240)
LW_VECTOR1(expm1, 235, 240)
LW_VECTOR1(log2, 235, 240)
LW_VECTOR1(log10, 235, 240)
LW_VECTOR1(log1p, 235, 240)
LW_VECTOR1(tan, 235, 240)
LW_VECTOR1(asin, 235, 240)
LW_VECTOR1(acos, 235, 240)
LW_VECTOR1(atan, 235, 240)
LW_VECTOR1(sinh, 235, 240)
LW_VECTOR1(cosh, 235, 240)
LW_VECTOR1(tanh, 235, 240)
LW_VECTOR1(asinh, 235, 240)
LW_VECTOR1(acosh, 235, 240)
LW_VECTOR1(atanh, 235, 240)
LW_VECTOR1(erf, 235, 240)
LW_VECTOR1(erfc, 235, 240)
LW_VECTOR1(cbrt, 235, 240)
LW_VECTOR2(pow, 222, 240)
LW_VECTOR2(atan2, 235, 240)
LW_VECTOR2(hypot, 235, 240)
inline int c_fmod(int x, int y) { return y == 0 || y == -1 ? 0 : x % y; }
inline long c_fmod(long x, long y) { return y == 0 || y == -1 ? 0 : x % y; }
LW_LOOP2(fmod)

// Quotients of integers, to zero and to minus infinity; 0 of a division by zero, for a lane cannot raise.
template <class V> inline V trunc_divide(V v, V w) {
  return call_each([](auto x, auto y) { return y == 0 ? y : y == -1 ? decltype(x)(0ul - x) : decltype(x)(x / y); }, v, w);
}
template <class V> inline V floor_divide(V v, V w) {
  V q = trunc_divide(v, w), r = v - q * w;
  return q + ((w != 0) & (r != 0) & ((r < 0) ^ (w < 0)));
}

// One instruction a register each; `round` takes a half to the even neighbour.
#define LW_INSTRUCTION(NAME, BUILTIN) \
  LW_SCALAR1(BUILTIN)                 \
  template <class V> inline V NAME(V v) { return each([](auto x) { return c_##BUILTIN(x); }, v); }

LW_INSTRUCTION(sqrt, sqrt)
LW_INSTRUCTION(floor, floor)
LW_INSTRUCTION(ceil, ceil)
LW_INSTRUCTION(trunc, trunc)
LW_INSTRUCTION(round, rint)

// The lesser, the greater; b where one is NaN: an instruction that the compiler does not find by itself.
template <class V> inline V lesser(V a, V b) { return a < b ? a : b; }
template <class V> inline V greater(V a, V b) { return a > b ? a : b; }
#if defined(__AVX2__)
#define LW_PICK(NAME, T, INSTRUCTION)                                  \
  template <> inline Register<T> NAME(Register<T> a, Register<T> b) {  \
    asm(INSTRUCTION " %2, %1, %0" : "=v"(a) : "v"(a), "vm"(b));        \
    return a;                                                          \
  }
LW_PICK(lesser, float, "vminps")
LW_PICK(lesser, double, "vminpd")
LW_PICK(greater, float, "vmaxps")
LW_PICK(greater, double, "vmaxpd")
#endif

// exp, in line: a call puts every register of its caller into memory, and its latency hides behind nothing. With
// k = round(x / ln 2) and r = x - k ln 2 it is 2^k e^r, e^r = 1 + r + r^2 Q(r), and Q from Remez' exchange. A cubic of Q is
// (a r + b) (r^2 + c) + d: two multiply-adds and a sum, which has an execution port of its own on some cores.

// Q(r) for |r| <= ln 2 / 2, of the square of r: e^r is then within 1.05e-7, or 3.6e-18, of its size.
template <class V> inline V exp_rest(V r, V square) {
  if constexpr (sizeof(r[0]) == 4)
    return (r * 0x1.106236p-7f + 0x1.572a02p-5f) * (square + 0x1.40cfa2p+4f) - 0x1.5c17b2p-2f;
  else {
    V low = (r * 0x1.1111111127beap-7 + 0x1.555555555087dp-5) * (square + 0x1.3fffffffe5674p+4) - 0x1.555555550265ap-2;
    V high = (r * 0x1.71df25563ec47p-19 + 0x1.a0199a0c7310ap-16) * (square + 0x1.1fff48b25c1dap+6) - 0x1.a013876560ce0p-12;
    V fourth = square * square;
    return low + fourth * (high + fourth * (r * 0x1.ad7f6858a4d99p-26 + 0x1.28ad72c2c8609p-22));
  }
}

// x - k ln 2, for whole k or sixteenths: ln 2 in two parts, of which k times the first is exact.
template <class V> inline V exp_reduced(V x, V k) {
  if constexpr (sizeof(x[0]) == 4) return x - k * 0x1.62e4p-1f - k * 0x1.7f7d1cp-20f;
  else return x - k * 0x1.62e42fefap-1 - k * 0x1.cf79abc9e3b3ap-40;
}

#if defined(__AVX512DQ__)
// a 2^floor(b), rounded once; where b is infinite, infinity or 0 for every a above 0.
template <class V> inline V scaled(V a, V b) {
  if constexpr (sizeof(a[0]) == 4) asm("vscalefps %2, %1, %0" : "=v"(a) : "v"(a), "v"(b));
  else asm("vscalefpd %2, %1, %0" : "=v"(a) : "v"(a), "v"(b));
  return a;
}
// The one of a and b that is nearer to 0, with the sign of a; b for NaN. So a huge or infinite x finds a harmless r.
template <class V> inline V within(V a, V b) {
  if constexpr (sizeof(a[0]) == 4) asm("vrangeps $2, %2, %1, %0" : "=v"(a) : "v"(a), "v"(b));
  else asm("vrangepd $2, %2, %1, %0" : "=v"(a) : "v"(a), "v"(b));
  return a;
}
template <int N> inline void r_exp(const Register<float> (&x)[N], Register<float> (&y)[N]) {
  typedef Register<float> V;
  V k[N], r[N], square[N];
  LW_INTERLEAVE(N) k[u] = round(x[u] * 0x1.715476p+0f);
  LW_INTERLEAVE(N) r[u] = exp_reduced(x[u], k[u]);
  LW_INTERLEAVE(N) r[u] = within(r[u], V{} + 0.5f);
  LW_INTERLEAVE(N) square[u] = r[u] * r[u];
  LW_INTERLEAVE(N) y[u] = exp_rest(r[u], square[u]);
  LW_INTERLEAVE(N) y[u] = square[u] * y[u] + (1 + r[u]);
  LW_INTERLEAVE(N) y[u] = scaled(y[u], k[u]);
}
// 2^(j/16), two registers of numbers.
alignas(64) static const double roots[] = {
  0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0, 0x1.2387a6e756238p+0,
  0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0, 0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0,
  0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0, 0x1.9c49182a3f090p+0,
  0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0, 0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
// k in sixteenths: |r| <= ln 2 / 32, where a quartic Q does (1.2e-17).
template <int N> inline void r_exp(const Register<double> (&x)[N], Register<double> (&y)[N]) {
  typedef Register<double> V;
  constexpr double magic = 0x1.8p+48;  // a number plus this is rounded to sixteenths, which the last bits of it count
  V shifted[N], k[N], root[N], r[N], square[N], rest[N];
  LW_INTERLEAVE(N) shifted[u] = x[u] * 0x1.71547652b82fep+0 + magic;
  LW_INTERLEAVE(N) k[u] = shifted[u] - magic;
  LW_INTERLEAVE(N) {
    root[u] = shifted[u];
    asm("vpermi2pd %2, %1, %0" : "+v"(root[u]) : "v"(((const V *)roots)[0]), "vm"(((const V *)roots)[1]));
  }
  LW_INTERLEAVE(N) r[u] = exp_reduced(x[u], k[u]);
  LW_INTERLEAVE(N) r[u] = within(r[u], V{} + 0.5);
  LW_INTERLEAVE(N) square[u] = r[u] * r[u];
  LW_INTERLEAVE(N) rest[u] = square[u] * 0x1.6c14c70a8229ep-10 + (r[u] * 0x1.11123abd8fcb7p-7 + 0x1.c72544011b163p-7);
  LW_INTERLEAVE(N) rest[u] = rest[u] * (square[u] + 0x1.3ffea32a9e3ffp+4) + 0x1.c713d730a6590p-3;
  LW_INTERLEAVE(N) rest[u] = square[u] * rest[u] + r[u];
  LW_INTERLEAVE(N) y[u] = scaled(root[u] * rest[u] + root[u], k[u]);
}
#else
// 2^k by way of the exponent's bits, in two factors: k goes from -1076 to 1025, more than one number holds.
template <int N, class V> inline void r_exp(const V (&given)[N], V (&y)[N]) {
  typedef Element<V> T;
  constexpr bool wide = sizeof(T) == 8;
  constexpr T magic = wide ? T(0x1.8p+52) : T(0x1.8p+23);  // a number plus this is rounded; its last bits are the number
  constexpr int bits = wide ? 52 : 23, bias = wide ? 1023 : 127;
  V x[N], shifted[N], r[N], square[N], one[N], two[N];
  LW_INTERLEAVE(N) x[u] = greater(splat<V>(wide ? -746 : -104), lesser(splat<V>(wide ? 710 : 89), given[u]));  // NaN stays
  LW_INTERLEAVE(N) shifted[u] = x[u] * T(0x1.71547652b82fep+0) + magic;
  LW_INTERLEAVE(N) {
    V k = shifted[u] - magic, halves = k * T(0.5) + magic;
    Mask<V> half = (Mask<V>)halves, other = (Mask<V>)shifted[u] - half;
    one[u] = (V)((half + bias) << bits), two[u] = (V)((other + bias) << bits);
    r[u] = exp_reduced(x[u], k);
  }
  LW_INTERLEAVE(N) square[u] = r[u] * r[u];
  LW_INTERLEAVE(N) y[u] = exp_rest(r[u], square[u]);
  LW_INTERLEAVE(N) y[u] = (square[u] * y[u] + (1 + r[u])) * one[u] * two[u];
}
#endif
template <class V> inline V exp(V v) {
  return by_register([](auto x) {
    decltype(x) y[1];
    r_exp<1>({x}, y);
    return y[0];
  }, v);
}
template <class V, int N> inline void exp(const V (&x)[N], V (&y)[N]) {
  if constexpr (sizeof(V) == LW_REGISTER) r_exp(x, y);
  else
    for (int u = 0; u < N; u++) y[u] = exp(x[u]);
}

// 4. Functions made of the others ------------------------------------------------------------------------------------

template <class V> inline Mask<V> sign_bit() { return (Mask<V>)splat<V>(-0.0); }
template <class V> inline V abs(V v) { return (V)((Mask<V>)v & ~sign_bit<V>()); }
template <class V> inline V copysign(V v, V sign) { return (V)((Mask<V>)abs(v) | ((Mask<V>)sign & sign_bit<V>())); }
template <class V> inline Mask<V> isnan(V v) { return v != v; }
template <class V> inline Mask<V> isinf(V v) { return abs(v) == splat<V>(__builtin_inf()); }
template <class V> inline Mask<V> isfinite(V v) { return abs(v) < splat<V>(__builtin_inf()); }

// A subnormal number times a power of two, for all bits of its mantissa; others as they are.
template <class V> inline V with_bits(V v) {
  constexpr bool wide = sizeof(v[0]) == 8;
  return select<V>(abs(v) < splat<V>(wide ? 0x1p-1022 : 0x1p-126), v * splat<V>(wide ? 0x1p54 : 0x1p25), v);
}

// As C's frexp: v is mantissa 2^exponent, the mantissa's size from 1/2 to 1; of 0, infinities and NaN themselves, and 0.
template <class V> inline V mantissa(V v) {
  Mask<V> exponent = (Mask<V>)splat<V>(__builtin_inf()), half = (Mask<V>)splat<V>(0.5);
  V found = (V)(((Mask<V>)with_bits(v) & ~exponent) | half);
  return select<V>(isfinite(v) & (v != V{}), found, v);
}
template <class V> inline Mask<V> exponent(V v) {
  constexpr bool wide = sizeof(v[0]) == 8;
  constexpr int bits = wide ? 52 : 23, bias = wide ? 1022 : 126, more = wide ? 54 : 25;
  V n = with_bits(v);
  Mask<V> found = ((Mask<V>)abs(n) >> bits) - bias - ((n != v) & more);
  return found & isfinite(v) & (v != V{});
}

// As torch.maximum and torch.minimum: NaN where either is NaN.
template <class V> inline V max(V v, V w) {
  return by_register([](auto a, auto b) { return select<decltype(a)>(a != a, a, greater(a, b)); }, v, w);
}
template <class V> inline V min(V v, V w) {
  return by_register([](auto a, auto b) { return select<decltype(a)>(a != a, a, lesser(a, b)); }, v, w);
}
// As torch.fmax and torch.fmin: the other where one is NaN.
template <class V> inline V fmax(V a, V b) { return select<V>(b != b, a, a > b ? a : b); }
template <class V> inline V fmin(V a, V b) { return select<V>(b != b, a, a < b ? a : b); }

// -1, 0 or 1; 0 for NaN, as torch.sign.
template <class V> inline V sign(V v) {
  V zero = {}, one = splat<V>(1);
  return select<V>(v > zero, one, select<V>(v < zero, -one, zero));
}

// 1 / sqrt(v), each operation rounded.
template <class V> inline V rsqrt(V v) { return splat<V>(1) / sqrt(v); }

// 1 / (1 + exp(-v)), without overflow on either side.
template <class V> inline V sigmoid(V v) {
  V small = exp((V)((Mask<V>)v | sign_bit<V>())), one = splat<V>(1);  // of -|v|
  return select<V>(v < V{}, small, one) / (one + small);
}

// As Python's % and torch.remainder: the sign of the divisor.
template <class V> inline V remainder(V a, V b) {
  V r = fmod(a, b), zero = {};
  return select<V>((r != zero) & ((r < zero) ^ (b < zero)), r + b, r);
}

// The logarithm of |gamma|. C's is off by up to 6 ulp between the poles, so the next wider type stands in.
inline double c_lgamma(double x) { return x < 0 ? double(__builtin_lgammal(x)) : __builtin_lgamma(x); }
inline float c_lgamma(float x) { return float(__builtin_lgamma(double(x))); }
template <class V> inline V lgamma(V v) {
  return call_each([](auto x) { return c_lgamma(x); }, v);
}

// The derivative of lgamma. Accurate to 4 ulp of max(1, |digamma|), thus not beside its roots. NaN at negative integers.
inline double c_digamma(double argument) {
  long double x = argument, shift = 0;
  if (x == 0) return -__builtin_copysign(__builtin_inf(), argument);
  if (x < 0) {
    long double turn = x - __builtin_roundl(x);
    if (!(turn != 0)) return __builtin_nan("");
    constexpr long double pi = 3.14159265358979323846264338327950288L;
    shift = -pi / __builtin_tanl(pi * turn);
    x = 1 - x;
  }
  for (; x < 20; x += 1) shift -= 1 / x;
  // Abramowitz and Stegun 6.3.18: log x - 1 / 2x - the sum of B_2k / (2k x^2k).
  constexpr long double terms[] = {1 / 12.0L, -1 / 120.0L, 1 / 252.0L, -1 / 240.0L, 1 / 132.0L, -691 / 32760.0L, 1 / 12.0L};
  long double square = 1 / (x * x), sum = 0;
  for (int k = 6; k >= 0; k--) sum = (sum + terms[k]) * square;
  return double(shift + (__builtin_logl(x) - 0.5L / x - sum));
}
inline float c_digamma(float x) { return float(c_digamma(double(x))); }
template <class V> inline V digamma(V v) { return call_each([](auto x) { return c_digamma(x); }, v); }

// The N-th derivative of digamma, N = 1, 2, 3. Accurate as digamma is. Infinite at 0 and the negative integers.
template <int N> inline double c_polygamma(double argument) {
  constexpr long double pi = 3.14159265358979323846264338327950288L;
  constexpr long double even = N % 2 ? 1 : -1, factorial = N < 3 ? N : 6;
  long double x = argument, shift = 0, sign = 1;
  if (x == __builtin_inf()) return 0;
  if (x < 0.5L) {  // (-1)^N psi_N(1 - x) - psi_N(x) = pi times the N-th derivative of cot(pi x)
    long double turn = x - __builtin_roundl(x);
    if (!(turn != 0)) return turn == 0 ? even * __builtin_inf() : __builtin_nan("");
    long double c = 1 / __builtin_tanl(pi * turn), s = 1 + c * c;
    shift = N == 1 ? pi * pi * s : N == 2 ? -2 * pi * pi * pi * c * s : 2 * pi * pi * pi * pi * s * (1 + 3 * c * c);
    sign = -even;
    x = 1 - x;
  }
  // N! times the Hurwitz zeta function of N + 1: its first terms, then Euler and Maclaurin's formula.
  long double sum = 0;
  for (; x < 30; x += 1) sum += 1 / (N == 1 ? x * x : N == 2 ? x * x * x : x * x * x * x);
  constexpr long double bernoulli[] = {1 / 6.0L, -1 / 30.0L, 1 / 42.0L, -1 / 30.0L, 5 / 66.0L, -691 / 2730.0L, 7 / 6.0L};
  long double power = 1, square = 1 / (x * x), term = (N + 1) / 2.0L * square, tail = 1.0L / N + 0.5L / x;
  for (int i = 0; i < N; i++) power /= x;
  for (int k = 1; k <= 7; k++) {
    tail += bernoulli[k - 1] * term;
    term *= (N + 2 * k) * (N + 2 * k + 1) * square / ((2 * k + 1) * (2 * k + 2));
  }
  return double(shift + sign * even * factorial * (sum + power * tail));
}
template <int N> inline float c_polygamma(float x) { return float(c_polygamma<N>(double(x))); }
template <class V> inline V polygamma1(V v) { return call_each([](auto x) { return c_polygamma<1>(x); }, v); }
template <class V> inline V polygamma2(V v) { return call_each([](auto x) { return c_polygamma<2>(x); }, v); }
template <class V> inline V polygamma3(V v) { return call_each([](auto x) { return c_polygamma<3>(x); }, v); }

// exp(x^2) erfc(x), where erfc alone is too small for a number.
inline double c_erfcx(double argument) {
  long double x = argument, square = x * x;
  if (x < 26) return double(__builtin_expl(square) * __builtin_erfcl(x));
  constexpr long double root = 0.56418958354775628694807945156077259L;  // 1 / sqrt(pi)
  long double sum = 1, term = 1;
  for (int k = 1; k < 8; k++) sum += term *= (1 - 2 * k) / (2 * square);
  return double(root / x * sum);
}
inline float c_erfcx(float x) { return float(c_erfcx(double(x))); }
template <class V> inline V erfcx(V v) { return call_each([](auto x) { return c_erfcx(x); }, v); }

// The inverse of erf: Winitzki's approximation, then Halley's method on erf, or on erfc where that is the smaller one.
inline double c_erfinv(double x) {
  long double size = __builtin_fabs(x), rest = 1 - size;
  if (!(size < 1)) return size == 1 ? x * __builtin_inf() : __builtin_nan("");
  if (size == 0) return x;
  long double w = -__builtin_logl(rest * (1 + size)), a = 2 / (3.14159265358979323846L * 0.147L) - w / 2, y;
  y = __builtin_sqrtl(__builtin_sqrtl(a * a + w / 0.147L) - a);
  for (int k = 0; k < 4; k++) {
    long double off = size < 0.5L ? __builtin_erfl(y) - size : rest - __builtin_erfcl(y);
    off *= 0.88622692545275801364908374167057259L * __builtin_expl(y * y);  // by erf's derivative
    y -= off / (1 + y * off);
  }
  return double(x < 0 ? -y : y);
}
inline float c_erfinv(float x) { return float(c_erfinv(double(x))); }
template <class V> inline V erfinv(V v) { return call_each([](auto x) { return c_erfinv(x); }, v); }

}  // namespace lw

// The functions of `vmath.h` for one lane, by CUDA's mathematical functions. Needs `block.cuh`.
//
// Accuracy is that of CUDA's own functions, at most 2 ulp for most; what is made here is accurate to 4 ulp, but for the functions
// whose comment says otherwise. Values at NaN, infinities and signed zeros are those of `vmath.h`.

namespace lw {

#define LW_MATH1(NAME, CUDA)                            \
  LW_FN float NAME(float x) { return ::CUDA##f(x); }    \
  LW_FN double NAME(double x) { return ::CUDA(x); }
#define LW_MATH2(NAME, CUDA)                                            \
  LW_FN float NAME(float x, float y) { return ::CUDA##f(x, y); }        \
  LW_FN double NAME(double x, double y) { return ::CUDA(x, y); }

LW_MATH1(abs, fabs)
LW_MATH1(sqrt, sqrt)
LW_MATH1(floor, floor)
LW_MATH1(ceil, ceil)
LW_MATH1(trunc, trunc)
LW_MATH1(round, rint)
LW_MATH1(exp, exp)
LW_MATH1(exp2, exp2)
LW_MATH1(expm1, expm1)
LW_MATH1(log, log)
LW_MATH1(log2, log2)
LW_MATH1(log10, log10)
LW_MATH1(log1p, log1p)
LW_MATH1(sin, sin)
LW_MATH1(cos, cos)
LW_MATH1(tan, tan)
LW_MATH1(asin, asin)
LW_MATH1(acos, acos)
LW_MATH1(atan, atan)
LW_MATH1(sinh, sinh)
LW_MATH1(cosh, cosh)
LW_MATH1(tanh, tanh)
LW_MATH1(asinh, asinh)
LW_MATH1(acosh, acosh)
LW_MATH1(atanh, atanh)
LW_MATH1(erf, erf)
LW_MATH1(erfc, erfc)
LW_MATH1(cbrt, cbrt)
LW_MATH2(pow, pow)
LW_MATH2(atan2, atan2)
LW_MATH2(hypot, hypot)
LW_MATH2(fmod, fmod)
LW_MATH2(copysign, copysign)

// Of several numbers at once, as `vmath.h` has them.
template <class A, int N> LW_FN void exp(const A (&x)[N], A (&y)[N]) { LW_INTERLEAVE(N) y[u] = exp(x[u]); }

// Whole numbers: quotients to zero and to minus infinity, 0 of a division by zero.
LW_FN Int abs(Int x) { return x < 0 ? -x : x; }
LW_FN Int fmod(Int x, Int y) { return y == 0 || y == -1 ? 0 : x % y; }
LW_FN Int trunc_divide(Int x, Int y) { return y == 0 ? 0 : y == -1 ? Int(0ul - x) : x / y; }
LW_FN Int floor_divide(Int x, Int y) {
  const Int q = trunc_divide(x, y), r = x - q * y;
  return q - (y != 0 && r != 0 && (r < 0) != (y < 0));
}

LW_FN bool isfinite(float x) { return ::fabsf(x) < LW_INFf; }
LW_FN bool isfinite(double x) { return ::fabs(x) < LW_INF; }

// NaN where either is NaN; `fmax` and `fmin`: the other one then. Of two zeros, either.
template <class A> LW_FN A max(A a, A b) { return a != a ? a : a > b ? a : b; }
template <class A> LW_FN A min(A a, A b) { return a != a ? a : a < b ? a : b; }
template <class A> LW_FN A fmax(A a, A b) { return b != b ? a : a > b ? a : b; }
template <class A> LW_FN A fmin(A a, A b) { return b != b ? a : a < b ? a : b; }

// -1, 0 or 1; 0 for NaN.
template <class A> LW_FN A sign(A x) { return A(x > A(0) ? 1 : x < A(0) ? -1 : 0); }

template <class A> LW_FN A rsqrt(A x) { return A(1) / sqrt(x); }

// 1 / (1 + exp(-x)), without overflow on either side.
template <class A> LW_FN A sigmoid(A x) {
  const A small = exp(-abs(x));
  return (x < A(0) ? small : A(1)) / (A(1) + small);
}

// As Python's %: the sign of the divisor.
template <class A> LW_FN A remainder(A a, A b) {
  const A r = fmod(a, b);
  return (r != A(0)) & ((r < A(0)) != (b < A(0))) ? r + b : r;
}

// As C's frexp: x is mantissa 2^exponent, the mantissa's size from 1/2 to 1; of 0, infinities and NaN themselves, and 0.
template <class A> LW_FN A mantissa(A x) {
  int unused;
  return isfinite(x) && x != A(0) ? A(::frexp(x, &unused)) : x;
}
template <class A> LW_FN int exponent(A x) {
  int found = 0;
  if (isfinite(x) && x != A(0)) ::frexp(x, &found);
  return found;
}

// float by way of double, for CUDA's own is off by more.
LW_FN double lgamma(double x) { return ::lgamma(x); }
LW_FN float lgamma(float x) { return float(::lgamma(double(x))); }
LW_FN double erfcx(double x) { return ::erfcx(x); }
LW_FN float erfcx(float x) { return float(::erfcx(double(x))); }
LW_FN double erfinv(double x) { return ::erfinv(x); }
LW_FN float erfinv(float x) { return float(::erfinv(double(x))); }

// The derivative of lgamma: in double accurate to 16 ulp of max(1, |digamma|). NaN at negative integers.
LW_APART double digamma(double argument) {
  constexpr double pi = 3.14159265358979323846;
  double x = argument, shift = 0;
  if (x == 0) return -::copysign(LW_INF, argument);
  if (x < 0) {
    const double turn = x - ::rint(x);
    if (!(turn != 0)) return LW_NAN;
    shift = -pi / ::tan(pi * turn);
    x = 1 - x;
  }
  for (; x < 12; x += 1) shift -= 1 / x;
  // Abramowitz and Stegun 6.3.18: log x - 1 / 2x - the sum of B_2k / (2k x^2k).
  constexpr double terms[] = {1 / 12.0, -1 / 120.0, 1 / 252.0, -1 / 240.0, 1 / 132.0, -691 / 32760.0, 1 / 12.0};
  const double square = 1 / (x * x);
  double sum = 0;
  for (int k = 6; k >= 0; k--) sum = (sum + terms[k]) * square;
  return shift + (::log(x) - 0.5 / x - sum);
}
LW_FN float digamma(float x) { return float(digamma(double(x))); }

// The N-th derivative of digamma, N = 1, 2, 3: as accurate as it, the second to 32 ulp. Infinite at 0 and the negative integers.
template <int N> LW_APART double polygamma(double argument) {
  constexpr double pi = 3.14159265358979323846, even = N % 2 ? 1 : -1, factorial = N < 3 ? N : 6;
  double x = argument, shift = 0, sign = 1;
  if (x == LW_INF) return 0;
  if (x < 0.5) {  // (-1)^N psi_N(1 - x) - psi_N(x) = pi times the N-th derivative of cot(pi x)
    const double turn = x - ::rint(x);
    if (!(turn != 0)) return turn == 0 ? even * LW_INF : LW_NAN;
    const double c = 1 / ::tan(pi * turn), s = 1 + c * c;
    shift = N == 1 ? pi * pi * s : N == 2 ? -2 * pi * pi * pi * c * s : 2 * pi * pi * pi * pi * s * (1 + 3 * c * c);
    sign = -even;
    x = 1 - x;
  }
  // N! times the Hurwitz zeta function of N + 1: its first terms, then Euler and Maclaurin's formula.
  double sum = 0;
  for (; x < 16; x += 1) sum += 1 / (N == 1 ? x * x : N == 2 ? x * x * x : x * x * x * x);
  constexpr double bernoulli[] = {1 / 6.0, -1 / 30.0, 1 / 42.0, -1 / 30.0, 5 / 66.0, -691 / 2730.0, 7 / 6.0};
  const double square = 1 / (x * x);
  double power = 1, term = (N + 1) / 2.0 * square, tail = 1.0 / N + 0.5 / x;
  for (int i = 0; i < N; i++) power /= x;
  for (int k = 1; k <= 7; k++) {
    tail += bernoulli[k - 1] * term;
    term *= (N + 2 * k) * (N + 2 * k + 1) * square / ((2 * k + 1) * (2 * k + 2));
  }
  return shift + sign * even * factorial * (sum + power * tail);
}
template <class A> LW_FN A polygamma1(A x) { return A(polygamma<1>(double(x))); }
template <class A> LW_FN A polygamma2(A x) { return A(polygamma<2>(double(x))); }
template <class A> LW_FN A polygamma3(A x) { return A(polygamma<3>(double(x))); }

}  // namespace lw

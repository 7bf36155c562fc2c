// What an emitted function is written with: vectors of a block of lanes, masks, and how each function is compiled. Defined
// before: T, Int, W.
//
// A kernel's functions are parts, which can be compiled side by side: LW_PARTS has a bit for each part that this compile makes.

#ifdef LW_PARTS
#define LW_OWN __attribute__((visibility("hidden")))
#else
#define LW_PARTS ~0ul
#define LW_OWN static
#endif
#define LW_IN(MASK) ((LW_PARTS) & (MASK))
#define LW_FN static inline
#define LW_APART static __attribute__((noinline))

typedef lw::Vec<float, W> F;
typedef lw::Vec<double, W> D;
typedef lw::Vec<Int, W> I;
typedef lw::Vec<T, W> V;
typedef Int __attribute__((may_alias)) Lane;

// Arrays of the lanes, which `cuda/block.cuh` has otherwise: element 0 of an array begins at place K of another one. A stretch of a
// long function has the names of all buffers, and may not use them.
#define LW_AT(A, ARRAY, K) ((A *)(ARRAY + K))
#define LW_BUFFER(A, NAME, K) [[maybe_unused]] A *const NAME = (A *)(w + K)
#define LW_TABLE static const
#define LW_FILLS
#define LW_INF __builtin_inf()
#define LW_INFf __builtin_inff()
#define LW_NAN __builtin_nan("")
#define LW_NANf __builtin_nanf("")
// Keeps a vector that several products read in a register: the compiler would load it again for each.
template <class A> static inline void hold(A &x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(A) == sizeof(V)) asm("" : "+v"(x));
#elif defined(__x86_64__)
  if constexpr (sizeof(A) == sizeof(V)) asm("" : "+x"(x));
#elif defined(__aarch64__)
  if constexpr (sizeof(A) == sizeof(V)) asm("" : "+w"(x));
#endif
}
// What runs once a lane: its machine code costs more to make than it could win back, fused multiply-adds apart.
#if defined(__GNUC__) && !defined(__clang__)
#define ONCE noinline, cold, optimize("O1", "expensive-optimizations")
#else
#define ONCE noinline, cold
#endif
// What few lanes want: not even that where nothing else is optimised.
#if defined(__OPTIMIZE__)
#define FEW ONCE
#else
#define FEW noinline, cold
#endif
// What has long chains of operations side by side: the compiler's order would put one behind the other again. Arrays of them are
// registers only to a compiler that optimises, so that this holds for what runs once a lane, too.
#if defined(__GNUC__) && !defined(__clang__)
#define CHAINED noinline, optimize("schedule-insns", "sched-pressure")
#else
#define CHAINED noinline
#endif
template <class A> static inline A fill(lw::Element<A> x) { return lw::splat<A>(x); }
template <class A> static inline lw::Element<A> first_lane(A x) { return x[0]; }
template <class A, class B> static inline A convert(B x) { return __builtin_convertvector(x, A); }
template <class A> static inline I mask(A x) {
  if constexpr (sizeof(A) == sizeof(I)) return (I)x;
  else return __builtin_convertvector(x, I);
}
// A bit for each lane, set where the mask, -1 or 0, is.
template <class M> static inline unsigned long bits(M m) {
#if defined(__AVX512DQ__)
  if constexpr (sizeof(M) == 64) {
    if constexpr (W == 8) return (unsigned char)__builtin_ia32_cvtq2mask512((lw::Vec<long long, 8>)m);
    else return (unsigned short)__builtin_ia32_cvtd2mask512((lw::Vec<int, 16>)m);
  }
#endif
#if defined(__AVX__)
  if constexpr (sizeof(M) == 32) {
    if constexpr (W == 4) return (unsigned)__builtin_ia32_movmskpd256((lw::Vec<double, 4>)m);
    else return (unsigned)__builtin_ia32_movmskps256((lw::Vec<float, 8>)m);
  }
#endif
  unsigned long found = 0;
  for (int l = 0; l < W; l++) found |= (unsigned long)(m[l] != 0) << l;
  return found;
}
static inline bool any(I m) { return bits(m) != 0; }
template <class A> static inline A select(I m, A a, A b) {
  if constexpr (sizeof(A) == sizeof(I)) return (lw::Mask<A>)m ? a : b;
  else return __builtin_convertvector(m, lw::Mask<A>) ? a : b;
}

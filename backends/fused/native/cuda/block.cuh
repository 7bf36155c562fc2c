// What an emitted function is written with where a thread is a lane: the names of `block.h`, of scalars. Defined before: T, Int.

typedef float F;
typedef double D;
typedef Int I;
typedef T V;
constexpr Int RUNNING = -1;
#define LW_FN __device__ __forceinline__
// A function that runs a few times a lane, apart: it must not take registers from the steps.
#define LW_APART inline __device__ __noinline__
#define LW_TABLE static __device__ const
#define LW_FILLS __device__ constexpr
#define LW_INF __builtin_bit_cast(double, 0x7ff0000000000000)
#define LW_INFf __builtin_bit_cast(float, 0x7f800000)
#define LW_NAN __builtin_bit_cast(double, 0x7ff8000000000000)
#define LW_NANf __builtin_bit_cast(float, 0x7fc00000)

#define LW_PRAGMA(WORDS) _Pragma(#WORDS)
// Loops that stay loops, and loops of which some rounds are written out; before the hot functions `every_round.cuh` may define
// these two anew. Rounds of a fori_loop, which all work on the same places, always stay a loop.
#define LW_LOOP LW_PRAGMA(unroll 1)
#define LW_TILES LW_LOOP
#define LW_WRITTEN_OUT(N) LW_PRAGMA(unroll N)
#define LW_ROUNDS LW_PRAGMA(unroll 1)
#define LW_INTERLEAVE(N) LW_PRAGMA(unroll) for (int u = 0; u < N; u++)

// Numbers of a lane among those of its neighbours: tiles of 32 lanes, in which number k of all 32 stands together. A warp whose
// threads have neighbouring lanes reads one stretch of memory, and has no bank conflict in shared memory.
constexpr int TILE = 32;
template <class A> struct Column {
  A *tile;
  int lane;
  LW_FN A &operator[](long k) const { return tile[k * TILE + lane]; }
  LW_FN Column operator+(long k) const { return {tile + k * TILE, lane}; }
};
// The lane `id` of lanes that have `size` numbers each.
LW_FN Column<T> column(T *memory, long size, long id) { return {memory + id / TILE * (TILE * size), int(id % TILE)}; }

// The array of A that begins at place k of an array: of a lane's column, of an array in registers, of shared numbers.
template <class A, class B> LW_FN Column<A> at(Column<B> from, long k) { return {(A *)(from.tile + k * TILE), from.lane}; }
template <class A, class B> LW_FN A *at(B *from, long k) { return (A *)(from + k); }
template <class A, class B> LW_FN const A *at(const B *from, long k) { return (const A *)(from + k); }
#define LW_AT(A, ARRAY, K) at<A>(ARRAY, K)
#define LW_BUFFER(A, NAME, K) const auto NAME = at<A>(w, K)

template <class A> LW_FN A fill(A x) { return x; }
template <class A> LW_FN A first_lane(A x) { return x; }
template <class A> LW_FN void hold(A &) {}
template <class A, class B> LW_FN A convert(B x) { return (A)x; }
LW_FN I mask(bool x) { return x ? -1 : 0; }
LW_FN I mask(int x) { return x; }
LW_FN I mask(long x) { return (I)x; }
LW_FN bool any(I m) { return m != 0; }
template <class A> LW_FN A select(I m, A a, A b) { return m ? a : b; }

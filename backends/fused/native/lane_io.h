// What both loops over lanes need: inputs gathered into blocks, and threads. Needs `input.h`, POSIX threads.
// Defined before: T, Int, W, V, Lane.

#include <pthread.h>

typedef T __attribute__((may_alias, aligned(1))) Loose;  // a number anywhere,
typedef T __attribute__((may_alias)) Number;             // one in a vector of whatever type, and such a vector
typedef V __attribute__((may_alias)) Numbers;

// Rows become columns: entries change places by each bit of their indices in turn.
static inline void transpose(Numbers (&rows)[W]) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC unroll 8
  for (int bit = 1; bit < W; bit *= 2) {
    I low, high;
    for (int j = 0; j < W; j++) low[j] = j & bit ? W + j - bit : j, high[j] = j & bit ? W + j : j + bit;
#pragma GCC unroll 16
    for (int i = 0; i < W; i++) {
      if (i & bit) continue;
      const Numbers a = rows[i], b = rows[i + bit];
      rows[i] = __builtin_shuffle(a, b, low), rows[i + bit] = __builtin_shuffle(a, b, high);
    }
  }
#else
  for (int i = 0; i < W; i++)
    for (int j = 0; j < i; j++) {
      const T a = rows[i][j];
      rows[i][j] = rows[j][i], rows[j][i] = a;
    }
#endif
}

// An input of W lanes, or of the last `count`, into a block: by squares of numbers where they are dense, else number by
// number. A place without a lane takes the first one's. Of the lanes `ahead` the memory is asked for.
LW_OWN void gather_lanes(const Input &in, long first, int count, V *to, long size, long ahead) {
  const char *from[W];
  const long next = in.axes[0] == 1 ? ahead * in.axes[2] : 0;
  for (int l = 0; l < W; l++) from[l] = lane_at(in, first + (l < count ? l : 0));
  long k = 0;
  for (; in.dense && !in.kind && k + W <= size; k += W) {
    Numbers rows[W];
    for (int l = 0; l < W; l++) __builtin_memcpy(rows + l, from[l] + k * sizeof(T), sizeof(V));
    for (int l = 0; l < W; l++) __builtin_prefetch((const void *)((unsigned long)from[l] + k * sizeof(T) + next));
    transpose(rows);
    for (int l = 0; l < W; l++) ((Numbers *)to)[k + l] = rows[l];
  }
  for (; k < size; k++) {
    const long at = in.offset[k];
    if (in.kind)
      for (int l = 0; l < W; l++) ((Number *)(to + k))[l] = number(from[l] + at, in.kind);
    else
      for (int l = 0; l < W; l++) ((Number *)(to + k))[l] = *(const Loose *)(from[l] + at);
  }
}

// Where a new thread begins: else often beside its maker, until the system evens the load out, later than a short call
// ends. It may move from there as before.
#if defined(__linux__) && defined(__GLIBC__)
class ThreadPlacement {
 public:
  ThreadPlacement() : known(!pthread_attr_init(&attributes)), here(sched_getcpu()) {
    spread = here >= 0 && !sched_getaffinity(0, sizeof all, &all) && CPU_COUNT(&all) > 1;
  }
  ~ThreadPlacement() {
    if (known) pthread_attr_destroy(&attributes);
  }
  // For thread k: the k-th processor after this one, of those allowed.
  const pthread_attr_t *of(long k) {
    if (!known || !spread) return nullptr;
    int at = here;
    for (k %= CPU_COUNT(&all); k > 0; k--)
      do at = (at + 1) % CPU_SETSIZE;
      while (!CPU_ISSET(at, &all));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(at, &one);
    return pthread_attr_setaffinity_np(&attributes, sizeof one, &one) ? nullptr : &attributes;
  }
  void free() const {
    if (known && spread) sched_setaffinity(0, sizeof all, &all);
  }

 private:
  pthread_attr_t attributes;
  bool known, spread;
  int here;
  cpu_set_t all;
};
#else
struct ThreadPlacement {
  const pthread_attr_t *of(long) { return nullptr; }
  void free() const {}
};
#endif

// f(k) for all k below `count`, each in a thread of its own, the caller's among them; where no thread can be had, in the
// caller's. Threads live for one call: a process that was forked since has none that it waits for in vain.
template <class F> static void on_threads(long count, F f) {
  struct Share {
    F *f;
    const ThreadPlacement *placement;
    long k;
    pthread_t thread;
    bool started;
    static void *begin(void *given) {
      Share *share = (Share *)given;
      share->placement->free();
      (*share->f)(share->k);
      return nullptr;
    }
  };
  if (count < 2) return f(0);
  ThreadPlacement placement;
  Share *shares = (Share *)__builtin_malloc(count * sizeof(Share));
  for (long k = 1; shares && k < count; k++) {
    Share &s = shares[k];
    s.f = &f, s.placement = &placement, s.k = k;
    const pthread_attr_t *where = placement.of(k);
    s.started = !pthread_create(&s.thread, where, Share::begin, &s);
    // a place may be refused where a thread is not
    if (!s.started && where) s.started = !pthread_create(&s.thread, nullptr, Share::begin, &s);
  }
  f(0);
  for (long k = 1; k < count; k++) {
    if (shares && shares[k].started) pthread_join(shares[k].thread, nullptr);
    else f(k);
  }
  __builtin_free(shares);
}

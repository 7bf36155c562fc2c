// What both loops over lanes need: inputs as they lie in memory, and threads. Needs POSIX threads.
// Defined before: T, Int, W, V, Lane.

#include <pthread.h>

struct Input {
  const char *first;   // the first number of the first lane
  const long *axes;    // how many lane axes there are; then of each, the last one first, its size and bytes to the next
  const long *offset;  // bytes to each number of a lane
  long kind;           // 0: numbers of the lane's own type; else of what type (see `number`), below 0 in the other byte order
};

typedef Int __attribute__((may_alias, aligned(1))) Loose;

template <class A> static T number_as(const char *from, bool swapped) {
  A value;
  for (unsigned k = 0; k < sizeof(A); k++) ((char *)&value)[k] = from[swapped ? sizeof(A) - 1 - k : k];
  return (T)value;
}

static __attribute__((noinline)) T number(const char *from, long kind) {
  bool swapped = kind < 0;
  switch (swapped ? -kind : kind) {
    case 1: return number_as<float>(from, swapped);
    case 2: return number_as<double>(from, swapped);
    case 3: return number_as<signed char>(from, swapped);
    case 4: return number_as<short>(from, swapped);
    case 5: return number_as<int>(from, swapped);
    case 6: return number_as<long long>(from, swapped);
    case 7: return number_as<unsigned char>(from, swapped);
    case 8: return number_as<unsigned short>(from, swapped);
    case 9: return number_as<unsigned>(from, swapped);
    case 10: return number_as<unsigned long long>(from, swapped);
    default: return (T)(*from != 0);
  }
}

// Lane `id` of an input into place `lane` of a block.
static inline void load_lane(const Input &in, long id, V *to, int lane, long size) {
  const char *from = in.first;
  const long *axis = in.axes + 1;
  for (long k = in.axes[0]; k > 1; k--, axis += 2) from += id % axis[0] * axis[1], id /= axis[0];
  from += id * axis[1];
  if (!in.kind) {
    for (long k = 0; k < size; k++) ((Lane *)(to + k))[lane] = *(const Loose *)(from + in.offset[k]);
  } else {
    for (long k = 0; k < size; k++) {
      T value = number(from + in.offset[k], in.kind);
      __builtin_memcpy((char *)(to + k) + lane * sizeof(T), &value, sizeof(T));
    }
  }
}

// f(k) for all k below `count`, each in a thread of its own, the caller's among them; where no thread can be had, in the
// caller's. Threads live for one call: a process that was forked since has none that it waits for in vain.
template <class F> static void on_threads(long count, F f) {
  struct Share {
    F *f;
    long k;
    pthread_t thread;
    bool started;
    static void *begin(void *share) {
      (*((Share *)share)->f)(((Share *)share)->k);
      return nullptr;
    }
  };
  Share *shares = count > 1 ? (Share *)__builtin_malloc(count * sizeof(Share)) : nullptr;
  for (long k = 1; shares && k < count; k++) {
    shares[k].f = &f, shares[k].k = k;
    shares[k].started = !pthread_create(&shares[k].thread, nullptr, Share::begin, shares + k);
  }
  f(0);
  for (long k = 1; k < count; k++) {
    if (shares && shares[k].started) pthread_join(shares[k].thread, nullptr);
    else f(k);
  }
  __builtin_free(shares);
}

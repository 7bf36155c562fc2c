// One pass of an emitted function over many lanes: load, compute, store. Defined before: T, Int, W, N_INPUT, N_RESULT, N_SCRATCH, postprocess,
// load, store, and what lane_io.h defines. The last block may hold fewer lanes; what its other places compute goes nowhere.

struct Task {
  const Input *in;             // of every lane
  const T *sh;                 // shared inputs
  char *const *out;            // results, lanes by elements
  long lanes, threads;
};
LW_OWN void load(const Task &, long first, int count, V *in);
LW_OWN void store(const Task &, long id, const V *r, int lane);

extern "C" int map(const Task *task) {
  const Task &t = *task;
  constexpr long size = ((N_INPUT + N_RESULT + N_SCRATCH) * (long)sizeof(V) + 255) / 256 * 256;
  char *memory = (char *)__builtin_malloc(size * t.threads + 256);
  if (!memory) return 1;
  char *aligned = (char *)(((unsigned long)memory + 255) & ~255ul);
  on_threads(t.threads, [&](long thread) {
    V *in = (V *)(aligned + size * thread), *r = in + N_INPUT, *w = r + N_RESULT;
    __builtin_memset(in, 0, size);
    for (long first = thread * W; first < t.lanes; first += t.threads * W) {
      const int count = t.lanes - first < W ? t.lanes - first : W;
      load(t, first, count, in);
      postprocess(in, nullptr, t.sh, w, r);
      for (int l = 0; l < count; l++) store(t, first + l, r, l);
    }
  });
  __builtin_free(memory);
  return 0;
}

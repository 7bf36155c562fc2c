// The kernels around the emitted functions. A call takes lanes a wave at a time: lw_init gathers a wave's inputs and begins its
// lanes, lw_solve runs them to their end, lw_postprocess stores what became of them. Before the first wave, lw_hoist computes
// what rests on shared numbers alone.
//
// In lw_solve threads persist: one whose lane is done takes the next of the wave by one atomic counter, so that none waits for the
// slowest lane of its warp. What runs once a lane stands in kernels of its own, where all threads of a warp do it together.
//
// The emitted part defines: T, Int, N_INPUT, N_STATE, N_RESULT (numbers of inputs, state, results), N_STEP, N_TEST, N_SCRATCH (scratch of
// a step, of a test, of all), LOSS, STATUS (places in the state), CHECK_EVERY, STEPS_PER_POLL (steps of a thread between two looks
// at `stop`), N_HOISTED (numbers that hoist computes), LANES (threads of a block of lw_solve), LW_MAPPING, and init, steps,
// terminate, postprocess, hoist, load, store.

// LW_KERNELS has a bit for each kernel that this compile makes: hoist, init, solve, postprocess. They can be compiled side by side.
#ifndef LW_KERNELS
#define LW_KERNELS 15
#endif

struct Task {
  const Input *in;    // of every lane
  char *const *out;   // results, lanes by elements
  T *sh;              // shared numbers
  T *history;         // lanes by rows, or null
  T *inputs, *states; // columns of a wave's lanes
  T *scratch;         // columns of threads
  long *counters;     // stop, set from outside to end early; done, lanes finished so far; lane-steps executed
  long *next;         // the next lane of the wave that no thread has
  long first, count;  // lanes of the wave
  long max_steps, rows, keep;
};

LW_FN void load(const Task &t, long id, Column<T> in);
LW_FN void store(const Task &t, long id, Column<T> r);
LW_FN bool stopped(const Task &t) { return *(volatile long *)t.counters != 0; }
LW_FN long added(long *to, long n) { return (long)atomicAdd((unsigned long long *)to, (unsigned long long)n); }
LW_FN long thread_id() { return (long)blockIdx.x * blockDim.x + threadIdx.x; }
LW_FN long all_threads() { return (long)gridDim.x * blockDim.x; }
LW_FN long following(const Task &t) { return all_threads() + added(t.next, 1); }
LW_FN Column<T> inputs_of(const Task &t, long slot) { return column(t.inputs, N_INPUT, slot); }
LW_FN Column<T> state_of(const Task &t, long slot) { return column(t.states, N_STATE, slot); }
LW_FN Column<T> scratch_of(const Task &t) { return column(t.scratch, N_SCRATCH + N_RESULT, thread_id()); }
template <class S> LW_FN bool is_running(S s) { return at<Int>(s, STATUS)[0] == RUNNING; }

#if LW_KERNELS & 1
extern "C" __global__ void lw_hoist(const Task t) {
  if (N_HOISTED && !thread_id()) hoist(t.sh, t.scratch, t.scratch + N_HOISTED);
}
#endif

#if LW_KERNELS & 2
extern "C" __global__ void lw_init(const Task t) {
  for (long slot = thread_id(); slot < t.count && !stopped(t); slot += all_threads()) {
    const auto in = inputs_of(t, slot);
    load(t, t.first + slot, in);
    init(in, state_of(t, slot), t.sh, scratch_of(t));
  }
}
#endif

#if LW_KERNELS & 8
extern "C" __global__ void lw_postprocess(const Task t) {
  for (long slot = thread_id(); slot < t.count && !stopped(t); slot += all_threads()) {
    const auto w = scratch_of(t), r = w + N_SCRATCH;
    postprocess(inputs_of(t, slot), state_of(t, slot), t.sh, w, r);
    store(t, t.first + slot, r);
  }
}
#endif

#if LW_KERNELS & 4
// A lane's numbers where its steps have them, in registers or shared memory, from the wave's columns and back.
template <long N, class A, class B> LW_FN void copy(A to, B from) {
  LW_LOOP for (long k = 0; k < N; k++) to[k] = from[k];
}

// Some steps of a lane, and the loss before every `keep`-th into its history. The steps stand here once: they round in one way.
template <class In, class S, class W> LW_FN void advance(const Task &t, long id, long taken, long n, In in, S s, W w) {
  const long row = t.history ? 1 : n;
  LW_ROUNDS for (long k = 0; k < n; k += row) {
    steps(in, s, t.sh, w, row);
    if (t.history && (taken + k) % t.keep == 0 && is_running(s)) t.history[id * t.rows + (taken + k) / t.keep] = s[LOSS];
  }
}

// A thread's first lane is the one of its own number: a warp begins with neighbours, and nobody waits for the counter.
extern "C" __global__ void
__launch_bounds__(LANES, 1) lw_solve(const Task t) {
#if LW_MAPPING == LW_REGISTERS
  T in[N_INPUT + 1], s[N_STATE], w[N_STEP], v[N_TEST];
#elif LW_MAPPING == LW_SHARED
  extern __shared__ T lw_shared[];
  const auto in = column(lw_shared, N_INPUT + N_STATE + N_STEP, threadIdx.x), s = in + N_INPUT, w = s + N_STATE;
  const auto v = scratch_of(t);
#else
  Column<T> in, s;
  const auto w = scratch_of(t), v = w;
#endif
  if (stopped(t)) return;
  long slot = thread_id(), taken = 0, executed = 0, finished = 0, unseen = 0;
  for (bool held = false;;) {
    // The test, which stands here once, too; where a lane is done, the next one, and its test before the first step.
    for (; slot < t.count; held = false, slot = following(t), finished++) {
      if (!held) {
#if LW_MAPPING == LW_GLOBAL
        in = inputs_of(t, slot), s = state_of(t, slot);
#else
        copy<N_INPUT>(in, inputs_of(t, slot)), copy<N_STATE>(s, state_of(t, slot));
#endif
        held = true, taken = 0;
      }
      terminate(in, s, t.sh, v);
      if (is_running(s)) break;
#if LW_MAPPING != LW_GLOBAL
      copy<N_STATE>(state_of(t, slot), s);
#endif
    }
    if (slot >= t.count) break;
    const long left = t.max_steps - taken, n = left < CHECK_EVERY ? left : CHECK_EVERY;
    advance(t, t.first + slot, taken, n, in, s, w);
    taken += n, executed += n, unseen += n;
    if (unseen >= STEPS_PER_POLL) {
      if (stopped(t)) break;
      added(t.counters + 1, finished), finished = unseen = 0;
    }
  }
  added(t.counters + 1, finished), added(t.counters + 2, executed);
}
#endif

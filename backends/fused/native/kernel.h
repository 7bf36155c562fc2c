// A kernel as the loop over lanes sees it. `runtime.h` knows nothing else of one, so that it is compiled once for all kernels of
// a dtype and a width; what is declared here is defined beside the emitted functions. Needs `block.h` and `input.h`.

struct Task {
  const Input *in;             // of every lane
  const T *sh;                 // shared inputs
  char *const *out;            // results, lanes by elements
  T *history;                  // lanes by rows, or null
  long lanes, max_steps, rows, keep, threads;
  volatile long *stop;         // set from outside to end early
  long *done;                  // lanes finished so far
  long *lane_steps;            // lane-steps executed, idle ones included
};

#define LW_SIZE extern __attribute__((visibility("hidden"))) const long
LW_SIZE N_INPUT, N_STATE, N_RESULT, N_SCRATCH;  // vectors of inputs, state, results, scratch
LW_SIZE LOSS, STATUS;                           // places in the state
LW_SIZE CHECK_EVERY, STEPS_PER_POLL;            // steps between two tests, between two looks at `stop`
LW_SIZE N_SHARED, N_HOISTED, N_HOIST;           // shared numbers: given, computed (see `hoist`), and scratch for them
LW_SIZE DEFER_MASK, N_DEFERRED, N_COPIES;       // see `step_with_deferred`: where the mask is (below 0: nothing is deferred), vectors, copies
LW_SIZE DEFERRED[][3];                          // a copy: to, from, size
LW_SIZE N_READS, POSTPROCESS_READS[][2];        // stretches of inputs and, behind them, state that `postprocess` reads: first, size

LW_OWN void gather_lanes(const Input &, long first, int count, V *to, long size, long ahead);
LW_OWN void load(const Task &, long first, int count, V *in);
LW_OWN void store(const Task &, long id, const V *r, int lane);

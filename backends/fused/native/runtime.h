// The loop over lanes around the emitted functions. A block is W lanes side by side; when a lane of it is done, its
// state goes to a pack of done lanes and the slot takes a lane of a pack that has been initialised: no lane waits.
// Needs `kernel.h` for what it reads and calls of a kernel, and `lane_io.h`.

constexpr Int RUNNING = -1;
constexpr unsigned long ALL = (1ul << W) - 1;  // a bit a lane

struct Block {
  V *in, *s;
  long id[W];
};

static inline void move_lane(V *to, int slot, const V *from, int lane, long size) {
  Lane *a = (Lane *)to + slot;
  const Lane *b = (const Lane *)from + lane;
  for (long k = 0; k < size; k++) a[k * W] = b[k * W];
}

static inline bool is_running(const Block &b, int lane) { return ((const Int *)(b.s + STATUS))[lane] == RUNNING; }

class Worker {
 public:
  Worker(const Task &task, char *memory) : t(task) {
    V *m = (V *)memory;
    // what a step touches stands together
    Block *const blocks[] = {&work, &ready, &done};
    for (Block *b : blocks) {
      b->in = m, b->s = m + N_INPUT, m += N_INPUT + N_STATE;
      if (b == &work) w = m, m += N_SCRATCH;
      for (long &id : b->id) id = -1;
    }
    r = m, snapshot = r + N_RESULT, before = snapshot + N_STATE;
  }

  static long size() { return (3 * (N_INPUT + N_STATE) + N_RESULT + N_SCRATCH + N_STATE + N_DEFERRED) * (long)sizeof(V); }

  void run() {
    while (!*t.stop) {
      if (lives != ALL && !(exhausted && next == W)) refill();
      if (!lives) break;
      steps_until_check();
      if (*t.stop) break;
      terminate(work.in, work.s, t.sh, w);
      retire();
    }
    if (!*t.stop) flush(done, filled);
    __atomic_fetch_add(t.lane_steps, executed, __ATOMIC_RELAXED);
  }

 private:
  const Task &t;
  Block work, ready, done;
  V *r, *w, *snapshot, *before;
  int next = W, filled = 0;  // the next lane of `ready`, lanes in `done`
  bool exhausted = false;
  unsigned long lives = 0;          // the lanes of `work` that hold one,
  long born[W] = {};                // and when each came
  long clock = 0, limit = 0;        // steps made, and when the first lane is at its limit
  long executed = 0;

  // The next W matrices of the batch into a block, initialised and tested once.
  void take(Block &b) {
    long first = __atomic_fetch_add(t.done + 1, (long)W, __ATOMIC_RELAXED);
    exhausted = first + W >= t.lanes;
    if (first < t.lanes) load(t, first, first + W <= t.lanes ? W : t.lanes - first, b.in);
    for (int l = 0; l < W; l++) b.id[l] = first + l < t.lanes ? first + l : -1;
    init(b.in, b.s, t.sh, w);
    terminate(b.in, b.s, t.sh, w);
  }

  void refill() {
    for (bool again = true; again && !*t.stop;) {
      again = false;
      if (!lives && next == W && !exhausted) {
        take(work);
        for (int l = 0; l < W; l++)
          if (work.id[l] >= 0) enter(l);
        again = retire();
        continue;
      }
      while (lives != ALL) {
        if (next == W && !exhausted) take(ready), next = 0;
        while (next < W && ready.id[next] >= 0 && !is_running(ready, next)) stash_done(ready, next++);
        if (next < W && ready.id[next] < 0) next = W;
        if (next == W) {
          if (exhausted || *t.stop) break;
          continue;
        }
        int l = __builtin_ctzl(~lives);
        move_lane(work.in, l, ready.in, next, N_INPUT);
        move_lane(work.s, l, ready.s, next, N_STATE);
        work.id[l] = ready.id[next++];
        enter(l);
      }
    }
    limit = clock + t.max_steps;
    for (unsigned long left = lives; left; left &= left - 1)
      if (long end = born[__builtin_ctzl(left)] + t.max_steps; end < limit) limit = end;
  }

  void enter(int l) { lives |= 1ul << l, born[l] = clock; }

  void leave(int l) { lives &= ~(1ul << l), work.id[l] = -1; }

  // CHECK_EVERY steps of all lanes, fewer where a lane's limit comes first; a lane at its limit is kept as it is.
  void steps_until_check() {
    long most = CHECK_EVERY, least = CHECK_EVERY, left[W];
    if (t.history || limit - clock < CHECK_EVERY) {
      most = 0;
      for (int l = 0; l < W; l++) {
        left[l] = work.id[l] < 0 ? -1 : t.max_steps - (clock - born[l]);
        if (left[l] >= 0 && left[l] < least) least = left[l];
        if (left[l] > most) most = left[l] < CHECK_EVERY ? left[l] : CHECK_EVERY;
      }
    }
    if (!t.history && most == least) {
      for (long k = 0; k < most && !*t.stop; k += STEPS_PER_POLL) step_many(most - k < STEPS_PER_POLL ? most - k : STEPS_PER_POLL);
    } else {
      for (long k = 0; k < most && !*t.stop; k++) {
        if (k >= least) __builtin_memcpy(snapshot, work.s, N_STATE * sizeof(V));
        step_with_deferred();
        for (int l = 0; l < W; l++) {
          if (left[l] < 0) continue;
          long taken = clock + k - born[l];
          if (k >= left[l]) move_lane(work.s, l, snapshot, l, N_STATE);
          else if (t.history && taken % t.keep == 0 && is_running(work, l))
            t.history[work.id[l] * t.rows + taken / t.keep] = ((const T *)(work.s + LOSS))[l];
        }
      }
    }
    executed += most * W;
    clock += most;
  }

  // Some steps of all lanes. Deferred arrays are those of the last step; where a lane did not move in it, again step by step.
  void step_many(long n) {
    if (DEFER_MASK < 0 || n < 1) return steps(work.in, work.s, t.sh, w, n);
    __builtin_memcpy(snapshot, work.s, N_STATE * sizeof(V));
    steps(work.in, work.s, t.sh, w, n - 1);
    step_with_deferred();
    bool passed = true;
    for (int l = 0; l < W; l++) passed &= work.id[l] < 0 || ((const Int *)(work.s + DEFER_MASK))[l];
    if (passed) return;
    __builtin_memcpy(work.s, snapshot, N_STATE * sizeof(V));
    for (; n > 0; n--) step_with_deferred();
  }

  // One step, and its deferred arrays.
  void step_with_deferred() {
    V *b = before;
    for (long k = 0; k < N_COPIES; b += DEFERRED[k++][2]) __builtin_memcpy(b, work.s + DEFERRED[k][1], DEFERRED[k][2] * sizeof(V));
    steps(work.in, work.s, t.sh, w, 1);
    if (DEFER_MASK < 0) return;
    const I defer_mask = *(const I *)(work.s + DEFER_MASK);
    b = before;
    for (long k = 0; k < N_COPIES; k++)
      for (V *to = work.s + DEFERRED[k][0], *end = to + DEFERRED[k][2]; to < end; to++, b++) *to = select(defer_mask, *b, *to);
  }

  // Done lanes out of the block; true when there were any.
  bool retire() {
    const unsigned long over = bits(*(const I *)(work.s + STATUS) != RUNNING) & lives;
    if (over == ALL) flush(work, W);
    for (unsigned long left = over; left; left &= left - 1) {
      int l = __builtin_ctzl(left);
      if (over != ALL) stash_done(work, l);
      leave(l);
    }
    return over != 0;
  }

  void stash_done(Block &from, int lane) {
    for (long k = 0; k < N_READS; k++) {
      const long first = POSTPROCESS_READS[k][0];
      move_lane(done.in + first, filled, from.in + first, lane, POSTPROCESS_READS[k][1]);
    }
    done.id[filled++] = from.id[lane];
    if (filled == W) flush(done, W);
  }

  // Results of the first lanes of a block.
  void flush(Block &b, int count) {
    if (!count) return;
    postprocess(b.in, b.s, t.sh, w, r);
    for (int l = 0; l < count; l++) store(t, b.id[l], r, l);
    __atomic_fetch_add(t.done, (long)count, __ATOMIC_RELAXED);
    if (&b == &done) filled = 0;
  }
};

extern "C" int solve(const Task *given) {
  Task task = *given;
  int failed = 0;
  void *shared = nullptr;
  if (N_HOISTED) {  // the given numbers, and behind them what rests on them alone
    shared = __builtin_malloc((N_SHARED + N_HOISTED) * sizeof(T) + (N_HOISTED + N_HOIST) * sizeof(V) + 128);
    if (!shared) return 1;
    V *h = (V *)(((unsigned long)shared + 63) & ~63ul);
    T *sh = (T *)(h + N_HOISTED + N_HOIST);
    __builtin_memcpy(sh, task.sh, N_SHARED * sizeof(T));
    hoist(sh, h, h + N_HOISTED);
    task.sh = sh;
  }
  on_threads(task.threads, [&](long) {
    char *memory = (char *)__builtin_malloc(Worker::size() + 4096);
    if (memory) {
      char *aligned = (char *)(((unsigned long)memory + 4095) & ~4095ul);
      __builtin_memset(aligned, 0, Worker::size());
      Worker(task, aligned).run();
      __builtin_free(memory);
    } else {
      __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
    }
  });
  __builtin_free(shared);
  return failed;
}

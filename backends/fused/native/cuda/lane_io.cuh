// Inputs of a lane into its column. Needs `block.cuh`, `input.h`.

// The numbers of lane `id` into its column, from place `to` on. Neighbouring threads read neighbouring lanes.
LW_FN void gather(const Input &in, long id, Column<T> lane, long to, long size) {
  const char *const from = lane_at(in, id);
  for (long k = 0; k < size; k++) {
    const char *const at = from + (in.dense ? k * (long)sizeof(T) : in.offset[k]);
    lane[to + k] = in.kind ? number(at, in.kind) : *(const T *)at;
  }
}

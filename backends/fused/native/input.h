// Inputs as they lie in the user's memory, whatever their strides and type: where a number is, and what it is. For all targets.
// Defined before: T, and LW_FN, LW_APART, which say how a function is compiled.

struct Input {
  const char *first;   // the first number of the first lane
  const long *axes;    // how many lane axes there are; then of each, the last one first, its size and bytes to the next
  const long *offset;  // bytes to each number of a lane
  long kind;           // 0: numbers of the lane's own type; else of what type (see `number`), below 0 in the other byte order
  long dense;          // whether a lane's numbers follow one another
};

template <class A> LW_FN T number_as(const char *from, bool swapped) {
  A value;
  for (unsigned k = 0; k < sizeof(A); k++) ((char *)&value)[k] = from[swapped ? sizeof(A) - 1 - k : k];
  return (T)value;
}

LW_APART T number(const char *from, long kind) {
  const bool swapped = kind < 0;
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

// Where the numbers of lane `id` begin.
LW_FN const char *lane_at(const Input &in, long id) {
  const char *from = in.first;
  const long *axis = in.axes + 1;
  for (long k = in.axes[0]; k > 1; k--, axis += 2) from += id % axis[0] * axis[1], id /= axis[0];
  return from + id * axis[1];
}

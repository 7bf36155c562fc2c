// Arrays in registers have no addresses: where the steps keep their numbers there, every loop over elements is written out.
#undef LW_LOOP
#undef LW_WRITTEN_OUT
#define LW_LOOP LW_PRAGMA(unroll)
#define LW_WRITTEN_OUT(N) LW_PRAGMA(unroll)

"""The lane compiler: one-lane functions become native kernels in which a SIMD element is a lane."""

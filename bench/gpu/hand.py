"""Kernels written by hand: eigh of 3x3 matrices as an expert would write it, and bare multiply-adds, the peak of the device."""

from __future__ import annotations

import ctypes
from functools import cache

import torch
from torch import Tensor

from bench.gpu.place import Place, figures

EIGH = """
struct Task { const float *A; float *w, *V; long long count; };

// A rotation of rows and columns p and q that clears a_pq, by Rutishauser's stable formulas (Numerische Mathematik 9, 1966).
__device__ __forceinline__ void rotate(float &app, float &aqq, float &apq, float &arp, float &arq, float (&V)[3][3], int p, int q) {
  if (apq == 0) return;
  const float theta = (aqq - app) / (2 * apq), size = fabsf(theta);
  const float t = copysignf(1 / (size + sqrtf(theta * theta + 1)), theta), c = rsqrtf(t * t + 1), s = t * c;
  app -= t * apq, aqq += t * apq, apq = 0;
  const float x = arp, y = arq;
  arp = c * x - s * y, arq = s * x + c * y;
#pragma unroll
  for (int k = 0; k < 3; k++) {
    const float v = V[k][p], u = V[k][q];
    V[k][p] = c * v - s * u, V[k][q] = s * v + c * u;
  }
}
__device__ __forceinline__ void order(float &a, float &b, float (&V)[3][3], int p, int q) {
  if (a <= b) return;
  const float w = a;
  a = b, b = w;
#pragma unroll
  for (int k = 0; k < 3; k++) {
    const float v = V[k][p];
    V[k][p] = V[k][q], V[k][q] = v;
  }
}
// Cyclic Jacobi, a thread a matrix, everything in registers: w ascending, V's columns the eigenvectors.
extern "C" __global__ void __launch_bounds__(256) eigh(const Task t) {
  const long long id = blockIdx.x * 256ll + threadIdx.x;
  if (id >= t.count) return;
  const float *A = t.A + 9 * id;
  float a = A[0], b = A[4], c = A[8], ab = A[1], ac = A[2], bc = A[5], V[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  for (int sweep = 0; sweep < 12 && (ab != 0 || ac != 0 || bc != 0); sweep++) {
    rotate(a, b, ab, ac, bc, V, 0, 1);
    rotate(a, c, ac, ab, bc, V, 0, 2);
    rotate(b, c, bc, ab, ac, V, 1, 2);
    const float small = 1e-8f * (fabsf(a) + fabsf(b) + fabsf(c));
    if (fabsf(ab) + fabsf(ac) + fabsf(bc) < small) break;
  }
  order(a, b, V, 0, 1), order(b, c, V, 1, 2), order(a, b, V, 0, 1);
  float *w = t.w + 3 * id, *to = t.V + 9 * id;
  w[0] = a, w[1] = b, w[2] = c;
#pragma unroll
  for (int k = 0; k < 9; k++) to[k] = V[k / 3][k % 3];
}
"""

PEAK = """
typedef KIND T;
struct Task { T *to; long long rounds; };
extern "C" __global__ void __launch_bounds__(256) peak(const Task t) {
  T x[16];
  const T m = T(0.999), c = T(threadIdx.x) * T(1e-6);
#pragma unroll
  for (int k = 0; k < 16; k++) x[k] = T(k);
  for (long long i = 0; i < t.rounds; i++) {
#pragma unroll
    for (int k = 0; k < 16; k++) x[k] = x[k] * m + c;
  }
  T sum = 0;
#pragma unroll
  for (int k = 0; k < 16; k++) sum += x[k];
  if (sum == T(-1)) t.to[0] = sum;  // never: it keeps the work
}
"""
ROUNDS, CHAINS, THREADS = 20_000, 16, 256


class EighTask(ctypes.Structure):
    """`Task` of `EIGH`."""

    _fields_ = [(name, ctypes.c_void_p) for name in ("A", "w", "V")] + [("count", ctypes.c_longlong)]


class PeakTask(ctypes.Structure):
    """`Task` of `PEAK`."""

    _fields_ = [("to", ctypes.c_void_p), ("rounds", ctypes.c_longlong)]


def eigh(A: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues `(batch, 3)`, ascending, and eigenvectors `(batch, 3, 3)` of symmetric float32 matrices on a CUDA device."""
    from backends.fused.cuda.torch_device import cuda_device

    device = cuda_device(A.device.index)
    w, V = A.new_empty(len(A), 3), torch.empty_like(A)
    task = EighTask(A.data_ptr(), w.data_ptr(), V.data_ptr(), len(A))
    device.launch(device.compile(EIGH), "eigh", -(-len(A) // 256), 256, 0, task)
    return w, V


@cache
def peak(here: Place, dtype: str) -> float:
    """GFlop/s of independent multiply-adds in all threads of the device, the best of some runs; NaN on the shim."""
    if here.tiny:
        return float("nan")
    from backends.fused.cuda.torch_device import cuda_device

    device = cuda_device(torch.cuda.current_device())
    module = device.compile(PEAK.replace("KIND", "double" if dtype == "float64" else "float"))
    blocks = device.resident(module, "peak", THREADS, 0)
    room = device.full((1,), dtype, 0.0)
    task = PeakTask(room.data_ptr(), ROUNDS)
    best = figures(here.times(lambda: device.launch(module, "peak", blocks, THREADS, 0, task)))["min"]
    return 2.0 * CHAINS * ROUNDS * blocks * THREADS / best / 1e9

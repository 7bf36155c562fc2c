"""The lane compiler on a GPU: what its kernels use (`registers`), and how fast they are beside their peers (`python -m bench.gpu`).

kernels      the calls whose kernels the table of registers has
registers    registers, spills, stack and shared memory of each, compiled without a GPU
"""

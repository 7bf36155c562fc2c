"""The lane compiler on a GPU: what its kernels use, and how fast they are beside their peers (`python -m bench.gpu`).

kernels      the calls whose kernels the table of registers has
registers    registers, spills, stack and shared memory of each, compiled without a GPU
place        where a benchmark runs, its clock, and what is certified
hand         kernels written by hand: 3x3 eigh, bare multiply-adds
suites       the rows; `suite` runs one suite in a process of its own
table        the rows in words, and as pytest-benchmark stores them
"""

"""Kernels of CUDA C++ over many lanes: `device` is what a device does for them, `executable` a program compiled for one."""

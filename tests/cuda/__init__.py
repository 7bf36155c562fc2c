"""Emitted CUDA on the CPU: a shim header in front of the same text, and a device and a backend that run it."""

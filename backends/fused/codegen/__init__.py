"""An order of loops to C++ text: `emit` writes a function, `kernel` the whole of it."""

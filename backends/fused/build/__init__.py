"""C++ text to a loaded library: compiler, target, caches on disk."""

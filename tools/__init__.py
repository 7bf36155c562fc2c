"""Helpers of the Makefile: environments, and lines while something takes long. Standard library alone."""

"""Benchmarks: pytest-benchmark suites, the peers they compare with, and the report. See README.md here."""

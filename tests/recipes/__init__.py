"""One extension of each kind, as CONTRIBUTING.md says to write it: models to copy, which `tests.test_recipes` runs."""

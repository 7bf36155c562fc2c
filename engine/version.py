"""The version, as pyproject.toml has it. Needs nothing."""

VERSION = "0.1.0"

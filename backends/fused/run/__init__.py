"""A loaded library over many lanes: whole solves (`iterate`) and plain functions (`mapped`)."""

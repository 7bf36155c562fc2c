"""ATen operations to the lane IR: `lower` drives; `meanings`, `movement`, `ordering`, `linalg` say what each operation is."""

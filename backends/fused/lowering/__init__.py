"""ATen operations to the lane IR: `lower` drives; `aten`, `movement`, `ordering`, `linalg` say what each operation is."""

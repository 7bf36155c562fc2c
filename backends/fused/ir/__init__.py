"""The computation of a kernel before it is text: `graph` of one lane, and the pointwise operations in `ops`."""

"""The lane IR to an order of loops: deferred selects, lane branches, nodes that share a loop, places of buffers."""

"""The lane IR to an order of loops: what is carried, shared, rare; which nodes share a loop; where buffers lie."""

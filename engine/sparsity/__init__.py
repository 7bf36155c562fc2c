"""The sparsity of the curvature: which tangent coordinates it couples.

structure     the blocks, as a solver uses them
detect        how they are found, once per problem and shapes
components    connected components of coordinates that share rows

One of the rooms of `engine` that import NumPy: a plan looks at host arrays, a lane never computes with them.
"""

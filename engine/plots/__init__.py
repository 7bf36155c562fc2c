"""Figures of a solve, with plotly.

figures          the figure of convergence
loss_quantiles   its numbers: statistics of loss histories over the lanes

One of the rooms of `engine` that import NumPy: a figure is made of host arrays.
"""

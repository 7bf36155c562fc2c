"""Figures of solves, with plotly.

convergence      losses by step: of one solution, lane by lane or by quantiles, or of several
curves           any numbers against others, in the same look
template         the look: sizes, colours, axes, light and dark
page             a figure as an HTML page of its own
loss_quantiles   statistics of loss histories over the lanes

One of the rooms of `engine` that import NumPy: a figure is made of host arrays.
"""

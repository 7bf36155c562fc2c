"""One lane's own story.

explain     its text, line by line
spectrum    singular values and eigenvalues of its curvature

One of the rooms of `engine` that import NumPy: a story is told of one lane on the host.
"""

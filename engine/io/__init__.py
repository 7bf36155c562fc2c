"""Files: arrays and solutions in NumPy's npz format, read with distrust and written whole or not at all.

npz_read     arrays of a file of unknown origin
npz_write    files that are written whole or not at all
archive      a Solution as named arrays
load         a Solution from a file

One of the rooms of `engine` that import NumPy: files hold host arrays.
"""

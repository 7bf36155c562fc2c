"""An independent judge of the statuses that the engine gives: `python -m bench.honesty`.

`__main__` is the command, `table` its table. `judge` is the verdict on a lane, and says what its numbers mean; it goes on from
answers by `descent`, in extended precision, with the derivatives of `objective`, the factorisations of `linear`, on the sets
of `spaces` and `manifolds`. `solved` has the engine solve the lanes of a kind and hands them to the judge; `ratios` judges
exact problems. The other files are kinds of lanes, and `kinds` lists them all.
"""

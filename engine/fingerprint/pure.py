"""Names that a user's function may use and still have a fingerprint: builtins, modules of libraries, and the names of their attributes.

A name stands here if it is a pure function, a constant or a type in every module of `MODULES` and every class of arrays, numbers,
texts and containers that has it: its result depends on its arguments alone. What draws random numbers, reads a clock, a file, the
environment or memory that was not written (`empty`), or computes a name (`getattr`), is not here; nor is what nobody uses.
"""

from __future__ import annotations

BUILTINS = frozenset(
    """
    abs all any bool bytes complex dict divmod enumerate filter float int isinstance issubclass iter len list map max min next pow
    property range reversed round slice sorted staticmethod classmethod sum super tuple zip object
    True False None Ellipsis NotImplemented __debug__
    ArithmeticError AssertionError AttributeError Exception IndexError KeyError LookupError NotImplementedError OverflowError
    RuntimeError StopIteration TypeError ValueError ZeroDivisionError
    """.split()
)

MODULES = frozenset(
    """
    numpy numpy.linalg numpy.polynomial numpy.polynomial.polynomial torch torch.linalg torch.special torch.nn
    torch.nn.functional torch.functional torch.func
    array_api_compat array_api_compat.numpy array_api_compat.numpy.linalg
    array_api_compat.torch array_api_compat.torch.linalg
    math cmath operator functools itertools scipy scipy.special einops typing collections.abc
    """.split()
)

OWN = frozenset(
    """
    backends engine engine.eye engine.transforms engine.smalllinalg engine.smalllinalg.basics engine.smalllinalg.jacobi
    engine.smalllinalg.orthogonal engine.smalllinalg.selection engine.smalllinalg.symmetric engine.smalllinalg.triangular
    """.split()
)
"""Modules of this project's that are for users' functions."""

OWN_NAMES = frozenset(
    """
    eye_like grad hessian jacfwd jacrev jvp vjp value_and_grad vmap fori_loop smalllinalg inverse qr solve_upper solve_symmetric det
    """.split()
)
"""Names of `OWN` that a user's function may use."""

VERSIONED = frozenset({"scipy", "einops"})
"""Libraries whose versions count where a function reaches them; those of the others always do."""

NAMES = frozenset(
    """
    abs absolute acos acosh add all allclose amax amin any append arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax
    argmin argsort array array_namespace arange as_tensor asarray asin asinh astype atan atan2 atanh atleast_1d atleast_2d average
    betainc bitwise_and bitwise_not bitwise_or bitwise_xor block bmm bool bool_ broadcast_arrays broadcast_shapes broadcast_to cat
    cbrt ceil chain chunk clamp clip clone column_stack combinations comb concat concatenate conj conjugate contiguous copy copysign
    convolve cos cosh count count_nonzero cross cumprod cumsum cumulative_prod cumulative_sum deg2rad degrees det device diag diag_embed diagflat
    diagonal diff digamma digitize dist divide dot double dstack dtype e ediff1d einsum elu endswith eps equal erf erfc erfcinv erfinv exp exp1 exp2
    expand expand_as expand_dims expit expm1 extend cholesky eigh eigvals eigvalsh matrix_rank cond func fliplr flipud result_type trapezoid mse_loss huber_loss pad one_hot
    eye factorial finfo fix flatten flip float float32 float64 float_power floor
    floor_divide fmod frexp fsum full full_like functional gamma gammainc gammaincc gammaln gather gcd gelu get gradient greater greater_equal
    heaviside hstack hypot i0 i1 iinfo imag index inf inner insert int int32 int64 interp intp inv inverse isclose isfinite isinf isnan
    isqrt item items join j0 j1 keys kron kv ldexp leaky_relu less less_equal lerp lgamma linalg linspace log log10 log1p
    log2 log_ndtr logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logit log_softmax logsumexp lower lstrip mT
    math matmul matrix_exp matrix_norm matrix_power matrix_transpose matvec max maximum mean median meshgrid min minimum mod moveaxis mul
    multi_dot multigammaln multiply mv nan nan_to_num nanmean nansum narrow ndarray ndim ndtr ndtri neg negative newaxis new_ones
    new_tensor new_zeros nextafter nn norm normalize numel ones ones_like outer partial percentile perm permutations permute
    permute_dims pi pinv polygamma polynomial polyval pop positive pow power prod product psi ptp qr quantile rad2deg radians ravel
    real reciprocal reduce relu relu6 remainder repeat repeat_interleave replace reshape reverse rint rint roll rot90 round rsqrt
    rstrip searchsorted select selu shape sigmoid sign signbit silu sin sinc sinh size slogdet smallest_normal softmax softplus
    softsign solve solve_triangular sort special spherical_jn split sqrt square squeeze stack startswith std strip sub subtract sum
    svd svdvals swapaxes swapdims t T H take take_along_axis tan tanh tanhshrink tau tensor tensordot Tensor tile tiny to trace
    transpose tril triu true_divide trunc type_as unbind unflatten unfold unsqueeze unstack update upper values vander var vdot
    vecdot vector_norm view view_as vstack where xlog1py xlogy xor zeros zeros_like zeta
    accumulate islice starmap takewhile zip_longest wraps rearrange
    betaln entr erfcx fabs fmax fmin log_expit rel_entr tril_indices triu_indices
    """.split()
)
"""Names of attributes, imported or read."""

DUNDERS = frozenset({"__init__", "__call__", "__post_init__", "__enter__", "__exit__", "__len__", "__getitem__", "__setitem__"})
"""Names between underscores that say no more than an operator or a call does."""

IMPURE = frozenset(
    """
    backends core cuda data_ptr datetime64 default_rng environ fromfile get_default_dtype get_num_threads initial_seed is_available load
    loadtxt memmap mps ops os rand randint randn random random_ rng seed sys test time utils version
    """.split()
)
"""Names that stand for state in a library; a user's attribute of such a name is not told from theirs."""

ALIASES = frozenset(
    """
    abs:absolute acos:arccos acosh:arccosh asin:arcsin asinh:arcsinh atan:arctan atan2:arctan2 atanh:arctanh bitwise_not:invert
    bool_:bool concat:concatenate conj:conj_physical conj:conjugate digamma:psi double:float64 equal:eq intp:int64 mod:remainder
    __pos__:positive __invert__:bitwise_not __itruediv__:__idiv__ __mod__:remainder __rtruediv__:__rdiv__ permute_dims:transpose pow:power true_divide:divide
    """.split()
)
"""Names of attributes, and what a function or class that libraries hold under that name calls itself instead."""

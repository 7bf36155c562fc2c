"""NumPy's and SciPy's functions as a user writes them, of a matrix A and a vector v with entries between 0 and 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
import scipy.special
from numpy import exp
from scipy import special
from scipy.special import expit, logsumexp

Function = Callable[[Any, Any], Any]


def of_vector(f: Any) -> Function:
    return lambda A, v: f(v)


def of_two(f: Any) -> Function:
    return lambda A, v: f(v, A[0])


def of_matrix(f: Any, **arguments: Any) -> Function:
    return lambda A, v: f(A, **arguments)


NEWCOMERS: dict[str, Function] = {
    "np.exp": lambda A, v: A @ np.exp(-v),
    "np.log": lambda A, v: np.log(v) + 1.0,
    "np.sum": lambda A, v: np.sum(A * v, axis=0),
    "np.maximum": lambda A, v: np.maximum(v, 0.5),
    "np.where": lambda A, v: np.where(v > 0.5, v, 0.1 * v),
    "np.linalg.norm": lambda A, v: v / np.linalg.norm(v),
    "np.dot": lambda A, v: np.dot(A, v),
    "np.stack": lambda A, v: np.stack([v[0], v[1] * v[2], v[2]]),
    "scipy.special.erf": lambda A, v: scipy.special.erf(v),
    "expit": lambda A, v: expit(2 * v - 1),
    "logsumexp": lambda A, v: v - logsumexp(v),
    "slicing and @": lambda A, v: np.concatenate([A[:2] @ v, v[-1:]]),
}
"""Functions that a newcomer writes first; each returns a vector like v."""

UNIVERSAL: dict[str, Function] = {
    **{
        name: of_vector(getattr(np, name))
        for name in """
            exp expm1 exp2 log log1p log2 log10 sqrt cbrt square reciprocal abs absolute fabs negative sign sin cos tan arcsin
            arccos arctan sinh cosh tanh arcsinh arctanh floor ceil trunc rint deg2rad rad2deg radians degrees
        """.split()
    },
    **{
        name: of_two(getattr(np, name))
        for name in """
            add subtract multiply divide true_divide power float_power maximum minimum fmax fmin hypot arctan2 logaddexp
            logaddexp2 copysign remainder mod fmod
        """.split()
    },
    "arccosh": lambda A, v: np.arccosh(1.0 + v),
    "matmul": lambda A, v: np.matmul(A, A),
    "subtract.outer": lambda A, v: np.subtract.outer(v, A[0]),
    "add.reduce": lambda A, v: np.add.reduce(A),
    "a NumPy number times an array": lambda A, v: np.sqrt(2.0) * v + np.float64(0.5),
    "of numbers alone": lambda A, v: v * np.log([1, 2, 3]) + np.exp(np.arange(3) / 3),
    "an array over a NumPy number": lambda A, v: v / np.float64(3.0),
    "an imported name": lambda A, v: exp(v),
    "comparisons": lambda A, v: np.where(np.greater(v, 0.4) & np.less(v, 0.8), v, -v),
    "logical": lambda A, v: np.where(np.logical_or(v < 0.4, v > 0.8), v, np.nan_to_num(v)),
    "isfinite": lambda A, v: np.where(np.isfinite(v), v, 0.0),
    "clip": lambda A, v: np.clip(v, 0.4, 0.7),
    "clip by names": lambda A, v: np.clip(v, a_min=0.4, a_max=None),
    "sinc": lambda A, v: np.sinc(v),
}

REDUCED: dict[str, Function] = {
    **{
        f"{name}, {how}": of_matrix(getattr(np, name), **kw)
        for name in "sum mean prod max min var std amax amin".split()
        for how, kw in {"all": {}, "axis": {"axis": 0}, "keepdims": {"axis": -1, "keepdims": True}}.items()
    },
    "sum by place": lambda A, v: np.sum(A, 1),
    "sum of two axes": lambda A, v: np.sum(A, axis=(0, 1)),
    "var with ddof": lambda A, v: np.var(A, axis=0, ddof=1),
    "std with ddof": lambda A, v: np.std(A, ddof=1),
    "ptp": lambda A, v: np.ptp(A, axis=0),
    "average": lambda A, v: np.average(v, weights=A[0]),
    "any": lambda A, v: np.where(np.any(A > 0.5), v, -v),
    "all": lambda A, v: np.where(np.all(A > 0.5, axis=0), v, -v),
    "cumsum": lambda A, v: np.cumsum(v),
    "cumsum of a matrix": lambda A, v: np.cumsum(A, axis=1),
    "cumprod": lambda A, v: np.cumprod(v),
    "diff": lambda A, v: np.diff(v),
    "trapezoid": lambda A, v: np.trapezoid(v, dx=0.5),
    "sort": lambda A, v: np.sort(v),
    "max method-free": lambda A, v: np.max(v) - np.min(v),
}

LINEAR: dict[str, Function] = {
    "dot of vectors": lambda A, v: np.dot(v, v),
    "dot of matrices": lambda A, v: np.dot(A, A),
    "dot with a number": lambda A, v: np.dot(2.0, v),
    "inner": lambda A, v: np.inner(A, v),
    "outer": lambda A, v: np.outer(v, A[0]),
    "vdot": lambda A, v: np.vdot(A, A),
    "einsum": lambda A, v: np.einsum("ij,j->i", A, v),
    "tensordot": lambda A, v: np.tensordot(A, A, axes=1),
    "kron": lambda A, v: np.kron(v, v),
    "cross": lambda A, v: np.cross(v, A[0]),
    "trace": lambda A, v: np.trace(A),
    "norm": lambda A, v: np.linalg.norm(A),
    "norm along an axis": lambda A, v: np.linalg.norm(A, axis=1),
    "norm 1": lambda A, v: np.linalg.norm(v, 1),
    "norm inf": lambda A, v: np.linalg.norm(v, np.inf),
    "inv": lambda A, v: np.linalg.inv(A),
    "solve": lambda A, v: np.linalg.solve(A, v),
    "solve of matrices": lambda A, v: np.linalg.solve(A, A.T),
    "det": lambda A, v: np.linalg.det(A),
    "slogdet": lambda A, v: np.linalg.slogdet(A)[1],
    "cholesky": lambda A, v: np.linalg.cholesky(A @ A.T),
    "matrix_power": lambda A, v: np.linalg.matrix_power(A, 3),
    "multi_dot": lambda A, v: np.linalg.multi_dot([A, A, v]),
}

SHAPES: dict[str, Function] = {
    "stack along an axis": lambda A, v: np.stack([v, 2 * v], axis=-1),
    "stack with a number": lambda A, v: np.stack([v[0], 1.0]),
    "concatenate": lambda A, v: np.concatenate([A, v[None]], axis=0),
    "hstack": lambda A, v: np.hstack([v, v]),
    "vstack": lambda A, v: np.vstack([v, 2 * v]),
    "column_stack": lambda A, v: np.column_stack([v, 2 * v]),
    "reshape": lambda A, v: np.reshape(A, (9,)),
    "reshape with -1": lambda A, v: np.reshape(A, -1),
    "ravel": lambda A, v: np.ravel(A),
    "transpose": lambda A, v: np.transpose(A),
    "transpose of axes": lambda A, v: np.transpose(A[None], (1, 2, 0)),
    "swapaxes": lambda A, v: np.swapaxes(A, 0, 1),
    "moveaxis": lambda A, v: np.moveaxis(A, 0, 1),
    "diag of a vector": lambda A, v: np.diag(v),
    "diag of a matrix": lambda A, v: np.diag(A),
    "diagonal": lambda A, v: np.diagonal(A),
    "triu": lambda A, v: np.triu(A, 1),
    "tril": lambda A, v: np.tril(A),
    "squeeze": lambda A, v: np.squeeze(v[None]),
    "expand_dims": lambda A, v: np.expand_dims(v, 0),
    "broadcast_to": lambda A, v: np.broadcast_to(v, (3, 3)),
    "flip": lambda A, v: np.flip(v),
    "roll": lambda A, v: np.roll(v, 1),
    "tile": lambda A, v: np.tile(v, 2),
    "repeat": lambda A, v: np.repeat(v, 2),
    "zeros_like": lambda A, v: np.zeros_like(v) + v,
    "ones_like": lambda A, v: np.ones_like(A) * v,
    "full_like": lambda A, v: np.full_like(v, 0.25) * v,
    "copy": lambda A, v: np.copy(v),
    "polyval": lambda A, v: np.polyval([1.0, 2.0, 3.0], v),
    "take": lambda A, v: np.take(v, 1),
    "take several": lambda A, v: np.take(A, [[0, -1], [1, 1]], axis=-1),
    "split": lambda A, v: np.split(v, 3)[1],
    "a constant matrix": lambda A, v: A @ np.eye(3) - np.eye(3),
    "a constant matrix first": lambda A, v: np.eye(3) @ A,
    "constant points": lambda A, v: np.linspace(0, 1, 3) * v + v * np.arange(3),
    "a constant of numbers": lambda A, v: np.array([1.0, 2.0, 3.0]) * v,
    "constants computed": lambda A, v: np.exp(np.array([0.1, 0.2, 0.3])) * v,
    "constant indices": lambda A, v: A[np.triu_indices(3)],
    "ones in the middle": lambda A, v: np.ones(3) @ A @ np.ones((3, 1)),
    "an index": lambda A, v: A[0, 1] * v[::2],
    "a mask that is fixed": lambda A, v: v * (np.arange(3) > 0),
    "the namespace of an array": lambda A, v: A.__array_namespace__().sum(A * v),
    "an import inside": lambda A, v: __import__("numpy").tanh(v),
    "a loop over entries": lambda A, v: sum(a * a for a in v),
}

SEQUENCES: dict[str, Function] = {
    "select": lambda A, v: np.select([v < 0.4, v < 0.8], [v, A[0] * v], 0.25),
    "select of numbers": lambda A, v: np.select([v < 0.4, v < 0.8], [1.0, 2.0], default=v),
    "interp at params": lambda A, v: np.interp(v, [0.1, 0.4, 0.7], [1.0, 3.0, 2.0]),
    "interp of params": lambda A, v: np.interp([0.0, 0.2, 0.5, 0.9, 1.0], [0.1, 0.5, 0.9], v),
    "interp with moving points": lambda A, v: np.interp(A[1], v, np.stack([v[1], v[2], A[0, 0]])),
    "interp with ends": lambda A, v: np.interp(v, [0.4, 0.6], A[0, :2], left=v[0] * 2, right=-1.0),
    "digitize": lambda A, v: v * np.digitize(v, [0.4, 0.8]) + np.digitize(A, [0.3, 0.6], right=True),
    "digitize by edges that decrease": lambda A, v: v * np.digitize(v, [0.8, 0.4]) + np.digitize(A, [0.6, 0.3], right=True),
    "heaviside": lambda A, v: np.heaviside(v - 0.5, 0.5) * v,
    "linspace": lambda A, v: np.linspace(v[0], A[0, 0], 4),
    "linspace without its end": lambda A, v: np.linspace(0.0, v, 3, endpoint=False),
    "vander": lambda A, v: np.vander(v, 3) @ A[0],
    "vander, increasing": lambda A, v: np.vander(v, increasing=True),
    "diff with ends": lambda A, v: np.diff(v, prepend=0.0, append=A[0, :2]),
    "diff twice along an axis": lambda A, v: np.diff(A, 2, axis=0),
    "ediff1d": lambda A, v: np.ediff1d(v, to_begin=A[0, 0], to_end=1.0),
    "gradient": lambda A, v: np.gradient(v, 0.5),
    "gradient at coordinates": lambda A, v: np.gradient(A[0], v),
    "gradient of a matrix": lambda A, v: np.gradient(A)[0] * np.gradient(A, axis=1),
    "pad": lambda A, v: np.pad(v, (1, 2), constant_values=0.5),
    "pad of a matrix": lambda A, v: np.pad(A, ((1, 0), (2, 1))),
    "pad by a param": lambda A, v: np.pad(A[0], 1, constant_values=v[0]),
    "full_like of a param": lambda A, v: np.full_like(A, v[0]) * A,
    "pad by edges": lambda A, v: np.pad(A, 2, mode="edge"),
    "convolve": lambda A, v: np.convolve(v, A[0]),
    "convolve with numbers": lambda A, v: np.convolve([0.25, 0.5], v, mode="valid"),
    "convolve, same": lambda A, v: np.convolve(A.reshape(-1), v, mode="same"),
    "median": lambda A, v: np.median(A, axis=0),
    "median of all": lambda A, v: np.median(A),
    "quantile": lambda A, v: np.quantile(A, 0.3, axis=1),
    "quantile at a param": lambda A, v: np.quantile(A, v[0], axis=1),
    "percentile": lambda A, v: np.percentile(v, 60),
    "nansum": lambda A, v: np.nansum(np.where(A > 0.5, A, np.nan), axis=0),
    "nanmean": lambda A, v: np.nanmean(np.where(v > 0.5, v, np.nan)),
    "polyval of params": lambda A, v: np.polyval([v[0], 2.0, v[1]], A[0]),
    "polyval of a tuple of params": lambda A, v: np.polyval((v[0], 2.0, v[1]), A[0]),
}

SPECIAL: dict[str, Function] = {
    **{
        name: of_vector(getattr(special, name))
        for name in "erf erfc erfinv erfcx expit logit gammaln psi digamma ndtr ndtri log_ndtr entr log_expit".split()
    },
    "log_ndtr far left": lambda A, v: special.log_ndtr(-30 * v),
    "xlogy": lambda A, v: special.xlogy(v, A[0]),
    "xlog1py": lambda A, v: special.xlog1py(v, A[0]),
    "rel_entr": lambda A, v: special.rel_entr(v, A[0]),
    "betaln": lambda A, v: special.betaln(v, A[0]),
    "logsumexp": lambda A, v: special.logsumexp(A),
    "logsumexp along an axis": lambda A, v: scipy.special.logsumexp(A, axis=0),
    "logsumexp with weights": lambda A, v: logsumexp(v, b=A[0], keepdims=True),
    "softmax": lambda A, v: special.softmax(v),
    "softmax along an axis": lambda A, v: special.softmax(A, axis=1),
    "log_softmax": lambda A, v: special.log_softmax(v),
    "polygamma": lambda A, v: special.polygamma(1, v),
}

ALL = {
    f"{kind}: {name}": function
    for kind, table in {
        "first": NEWCOMERS,
        "ufunc": UNIVERSAL,
        "reduction": REDUCED,
        "linear": LINEAR,
        "shape": SHAPES,
        "sequence": SEQUENCES,
        "special": SPECIAL,
    }.items()
    for name, function in table.items()
}

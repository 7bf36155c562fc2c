"""The operations that a pure loss may use, as a table for `test_operations`: name -> function, shapes, numbers. Needs torch.

Shapes are words of axis names, or sizes, one word an argument ("nm m": a matrix and a vector); the tests draw the axes' sizes.
Numbers of the arguments are drawn between `low` and `high`, away from the places where an operation has no derivative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import linalg, special

T = torch.Tensor


@dataclass(frozen=True)
class Operation:
    """`orders`: how many times it is differentiated, 0 for results that are no smooth numbers."""

    function: Callable[..., Any]
    shapes: str = "nm"
    low: float = -2.0
    high: float = 2.0
    orders: int = 2


def op(function: Callable[..., Any], shapes: str = "nm", low: float = -2.0, high: float = 2.0, orders: int = 2) -> Operation:
    return Operation(function, shapes, low, high, orders)


def named(names: str, **options: Any) -> dict[str, Operation]:
    """Functions by their names in torch, torch.special, torch.linalg or torch.nn.functional."""

    def find(name: str) -> Any:
        return next(getattr(where, name) for where in (torch, special, F) if hasattr(where, name))

    return {name: op(find(name), **options) for name in names.split()}


POINTWISE = {
    **named("exp exp2 expm1 sin cos tan sinh cosh tanh atan asinh erf erfc neg square abs sinc deg2rad rad2deg positive"),
    **named("log log2 log10 log1p sqrt rsqrt reciprocal entr", low=0.3, high=3.0),
    **named("asin acos atanh erfinv", low=-0.9, high=0.9),
    **named("ndtr log_ndtr expit"),
    **named("floor ceil trunc round frac sign sgn nan_to_num", orders=1),
    "acosh": op(torch.acosh, low=1.2, high=4.0),
    "logit": op(torch.logit, low=0.1, high=0.9),
    **named("lgamma digamma", low=20, high=40),  # torch's own trigamma is a series that is off by 4e-10 at small numbers
    "polygamma": op(lambda x: special.polygamma(1, x), low=20, high=40),
    "polygamma 2": op(lambda x: special.polygamma(2, x), low=0.5, high=4.0, orders=1),
    "round to decimals": op(lambda x: torch.round(x, decimals=2), orders=0),
    "frexp": op(lambda x: torch.frexp(x)[0], orders=1), "frexp's exponent": op(lambda x: torch.frexp(x)[1], orders=0),
    "cube root": op(lambda x: torch.sign(x) * x.abs() ** (1 / 3)),
    "clamp": op(lambda x: torch.clamp(x, -1, 1)),
    "clamp below": op(lambda x: torch.clamp(x, min=0.3)),
    "clamp by arrays": op(torch.clamp, "nm m m", orders=1),
    "clip": op(lambda x: torch.clip(x, max=0.3)),
}  # fmt: skip

ARITHMETIC = {
    **named("add sub mul atan2 maximum minimum fmax fmin hypot logaddexp logaddexp2 copysign", shapes="nm m"),
    **named("div xlogy xlog1py pow float_power fmod remainder", shapes="nm nm", low=0.3),
    "floor_divide": op(torch.floor_divide, "nm nm", low=0.3, orders=0),
    "remainder of signs": op(lambda x, y: torch.remainder(x, -y), "nm nm", low=0.3),
    "Python's %": op(lambda x: x % 0.7), "Python's //": op(lambda x: x // 0.7, orders=0),
    "Python's / of a number": op(lambda x: 3 / x + x / 3 - (2 - x) * 1.5, low=0.3),
    "div floor": op(lambda x, y: torch.div(x, y, rounding_mode="floor"), "nm nm", low=0.3, orders=0),
    "div trunc": op(lambda x, y: torch.div(x, -y, rounding_mode="trunc"), "nm nm", low=0.3, orders=0),
    **{f"power {p}": op(lambda x, p=p: x**p) for p in (0, 1, 2, 3, 4, 5, 7, -1, -2, -3)},
    **{f"power {p}": op(lambda x, p=p: x**p, low=0.3) for p in (0.5, -0.5, 1.5, 2.5, -1.5, 0.1)},
    "power of a number": op(lambda x: 2.0**x), "power of integers": op(lambda x: x ** torch.arange(x.shape[-1])),
    "lerp": op(torch.lerp, "nm m nm"), "lerp by a number": op(lambda x, y: torch.lerp(x, y, 0.3), "nm nm"),
    "addcmul": op(lambda x, y, z: torch.addcmul(x, y, z, value=0.5), "nm nm nm", orders=0),  # torch itself crashes while it traces the derivative
    "addcdiv": op(lambda x, y, z: torch.addcdiv(x, y, z, value=0.5), "nm nm nm", low=0.3, orders=0),
    "add with alpha": op(lambda x, y: torch.add(x, y, alpha=2) + torch.sub(x, y, alpha=0.5) + torch.rsub(x, y), "nm nm"),
    "where": op(lambda x, y: torch.where(x > y, x * y, torch.sin(x)), "nm m"),
    "where with a number": op(lambda x: torch.where(x > 0, x**3, -1.0)),
    "masked_fill": op(lambda x: x.masked_fill(x > 0.5, 2.0) * x),
    "heaviside": op(torch.heaviside, "nm m", orders=0), "ldexp": op(lambda x: torch.ldexp(x, torch.tensor(3)), orders=0),
    "in place": op(lambda x: x.clone().mul_(2).add_(1).sin_()), "written rows": op(lambda x: _written(x)),
}  # fmt: skip


def _written(x: T) -> T:
    y = torch.zeros_like(x)
    y[0] = x[0] ** 2
    y[:, -1] += x[:, 0]
    return y


COMPARED = {
    **named("eq ne lt le gt ge isclose logical_and logical_or logical_xor", shapes="nm nm", orders=0),
    **named("isnan isinf isfinite isposinf isneginf isreal signbit logical_not", orders=0),
    "comparison with numbers": op(lambda x: ((x > 0) & (x <= 1)) | ~(x != 0.5) ^ (x >= -1), orders=0),
    "integers": op(lambda x: torch.floor(x * 5).to(torch.int64) * 3 - 2, orders=0),
    "integer division": op(lambda x: torch.floor(x * 9).to(torch.int64) // 4, orders=0),
    "integer remainder": op(lambda x: torch.floor(x * 9).to(torch.int64) % 4 + torch.floor(x * 9).int() % -3, orders=0),
    "integer trunc division": op(lambda x: torch.div((x * 9).to(torch.int64), -4, rounding_mode="trunc"), orders=0),
    "integer powers": op(lambda x: (x * 9).to(torch.int32) ** 2, orders=0),
    "integer quotient": op(lambda x: torch.floor(x * 9).to(torch.int64) / 4, orders=0),
    "casts": op(lambda x: x.to(torch.float32).to(torch.float64).to(x.dtype) + (x > 0).to(x.dtype) + x.int().to(x.dtype), orders=1),
    "cast to bool": op(lambda x: x.bool() & (x * 0).bool().logical_not(), orders=0),
    "constants": op(lambda x: torch.maximum(x, torch.tensor([[-math.inf], [0.1], [math.inf], [0.2]])[: len(x)].to(x.dtype)) + torch.tensor([1, math.nan])[:1]),
    "made arrays": op(lambda x: _made(x)),
    "arange and linspace": op(lambda x: x * torch.arange(x.shape[1], dtype=x.dtype) + torch.linspace(0, 1, x.shape[1], dtype=x.dtype)),
    "logspace": op(lambda x: x * torch.logspace(0, 1, x.shape[1], dtype=x.dtype)),
}  # fmt: skip


def _made(x: T) -> T:
    like = torch.zeros_like(x) + torch.ones_like(x) * 2 + torch.full_like(x, 3) + x.new_zeros(x.shape) + x.new_ones(x.shape)
    return x * like + torch.eye(*x.shape, dtype=x.dtype) + torch.full(x.shape, 2.5, dtype=x.dtype) + x.new_full(x.shape, 1.5)


ACTIVATIONS = {
    **named("relu relu6 leaky_relu elu selu celu gelu silu mish softplus softsign tanhshrink softshrink hardshrink hardtanh"),
    "hardsigmoid": op(F.hardsigmoid, orders=0),  # torch takes 1/6 in single precision for its slope
    **named("hardswish logsigmoid sigmoid"),
    "gelu by tanh": op(lambda x: F.gelu(x, approximate="tanh")), "threshold": op(lambda x: F.threshold(x, 0.1, 20.0)),
    "glu": op(lambda x: F.glu(torch.cat([x, x * 2], -1))), "prelu": op(F.prelu, "nm ", orders=2),
    **{name: op(lambda x, f=f: f(x, -1)) for name, f in (("softmax", F.softmax), ("log_softmax", F.log_softmax), ("softmin", F.softmin))},
    "softmax of columns": op(lambda x: torch.softmax(x, 0)), "softplus beta": op(lambda x: F.softplus(x, beta=3.0)),
    "normalize": op(F.normalize, "nm"), "layer_norm": op(lambda x, w: F.layer_norm(x, w.shape, w), "n3 3"),
    "rms_norm": op(lambda x, w: F.rms_norm(x, w.shape, w), "nm m"),
    "group_norm": op(lambda x: F.group_norm(torch.stack([x, x * x, x + 1, x.sin()], 1), 2)),
    "linear": op(F.linear, "nk mk m"), "bilinear": op(F.bilinear, "an ak mnk m"),
    "attention": op(F.scaled_dot_product_attention, "nk mk mk"), "embedding": op(lambda x: F.embedding(torch.tensor([0, 0]), x)),
}  # fmt: skip

LOSSES = {
    **{name: op(getattr(F, name), "nm nm") for name in "l1_loss smooth_l1_loss poisson_nll_loss".split()},
    "mse_loss": op(F.mse_loss, "nm nm", orders=1),  # torch raises at its second derivative outside of a trace
    "huber_loss": op(F.huber_loss, "nm nm", orders=0),  # torch has no forward mode of its gradient
    "soft_margin_loss": op(lambda x, y: F.soft_margin_loss(x, torch.sign(y).detach()), "nm nm", orders=0),
    "with logits": op(F.binary_cross_entropy_with_logits, "nm nm", low=0.1, high=0.9),
    "kl_div": op(F.kl_div, "nm nm", low=0.1, high=0.9), "cross_entropy": op(lambda x, y: F.cross_entropy(x, y.softmax(-1)), "nm nm"),
    "cross_entropy of classes": op(lambda x: F.cross_entropy(x, torch.zeros(x.shape[0], dtype=torch.int64))),
    "nll_loss": op(lambda x: F.nll_loss(x.log_softmax(-1), torch.zeros(x.shape[0], dtype=torch.int64), reduction="sum")),
    "cosine_similarity": op(F.cosine_similarity, "nm nm"), "pairwise_distance": op(F.pairwise_distance, "nm nm"),
    "cosine_embedding_loss": op(lambda x, y: 1 + F.cosine_embedding_loss(x, y, torch.ones(x.shape[0], dtype=x.dtype)), "nm nm"),
    "triplet_margin_loss": op(F.triplet_margin_loss, "nm nm nm"), "margin_ranking_loss": op(F.margin_ranking_loss, "nm nm nm"),
    "hinge_embedding_loss": op(lambda x: F.hinge_embedding_loss(x, torch.ones_like(x))), "dist": op(torch.dist, "nm nm"),
}  # fmt: skip

REDUCED = {
    **named("sum mean prod amax amin max min std var logsumexp all any count_nonzero nansum nanmean".replace("logsumexp all any count_nonzero ", "")),
    **{f"{name} of rows": op(lambda x, f=f: f(x, -1), "nm") for name in "sum mean prod amax amin logsumexp nansum std var".split() for f in (getattr(torch, name),)},
    **{f"{name} keeping": op(lambda x, f=f: f(x, dim=(0, 2), keepdim=True), "nmk") for name in "sum mean amax amin var logsumexp".split() for f in (getattr(torch, name),)},
    **{f"{name} along": op(lambda x, f=f: f(x, 0), "nmk") for name in "cumsum cumprod logcumsumexp".split() for f in (getattr(torch, name),)},
    **{f"{name} along": op(lambda x, f=f: f(x, -1).values) for name in "cummax cummin".split() for f in (getattr(torch, name),)},
    **{f"{name} of columns": op(lambda x, f=f: f(x, 0).values) for name in "max min median nanmedian sort".split() for f in (getattr(torch, name),)},
    **{f"{name} place": op(lambda x, f=f: f(x, 0).indices, orders=0) for name in "max min median sort cummax".split() for f in (getattr(torch, name),)},
    **named("argmax argmin argsort all any count_nonzero", orders=0), "median": op(torch.median), "aminmax": op(lambda x: torch.stack(torch.aminmax(x, dim=0))),
    "all of rows": op(lambda x: (x > 0).all(0) | (x < -1).any(0), orders=0), "argmax of rows": op(lambda x: x.argmax(-1, keepdim=True), orders=0),
    "sort descending": op(lambda x: torch.sort(x, dim=0, descending=True).values), "msort": op(torch.msort), "diff": op(torch.diff), "trapezoid": op(torch.trapezoid),
    "topk": op(lambda x: torch.topk(x, 1 + x.shape[-1] // 2).values), "topk smallest": op(lambda x: torch.topk(x, 1, 0, largest=False).values),
    "topk place": op(lambda x: torch.topk(x, 1 + x.shape[-1] // 2).indices, orders=0),
    "kthvalue": op(lambda x: torch.kthvalue(x, 1 + x.shape[-1] // 2).values), "kthvalue place": op(lambda x: torch.kthvalue(x, 1, 0).indices, orders=0),
    "quantile": op(lambda x: torch.quantile(x, 0.3)), "quantiles": op(lambda x: x.quantile(torch.tensor([0.2, 0.7], dtype=x.dtype), 0, keepdim=True)),
    "nanquantile": op(lambda x: torch.nanquantile(x, 0.6, -1, interpolation="midpoint")),
    "var_mean": op(lambda x: torch.stack(torch.var_mean(x, dim=-1, correction=0))), "std_mean": op(lambda x: torch.stack(torch.std_mean(x, dim=-1, correction=0))),
    "gradient": op(lambda x: torch.stack(torch.gradient(torch.cat([x, x * x]), dim=0))), "renorm": op(lambda x: torch.renorm(x, 2, 0, 1.0)),
    **{f"norm {p}": op(lambda x, p=p: linalg.vector_norm(x, p)) for p in (1, 2, 3, 0.5, math.inf, -math.inf)},
    "norm 0": op(lambda x: linalg.vector_norm(x, 0), orders=0), "norm": op(lambda x: torch.norm(x) + x.norm(dim=0).sum() + linalg.norm(x)),
    **{f"matrix norm {p}": op(lambda x, p=p: linalg.matrix_norm(x, p)) for p in ("fro", 1, -1, math.inf)},
}  # fmt: skip

PRODUCTS = {
    "matmul": op(torch.matmul, "nk km"), "mm": op(torch.mm, "nk km"), "bmm": op(torch.bmm, "ank akm"), "mv": op(torch.mv, "nk k"),
    "matmul broadcast": op(torch.matmul, "ank km"), "matmul of vectors": op(torch.matmul, "k k"), "vector by matrix": op(torch.matmul, "k km"),
    "dot": op(torch.dot, "k k"), "inner": op(torch.inner, "nk mk"), "outer": op(torch.outer, "n m"), "vdot": op(torch.vdot, "k k"), "vecdot": op(linalg.vecdot, "nk nk"),
    "tensordot": op(lambda x, y: torch.tensordot(x, y, dims=([1], [0])), "nka km"), "kron": op(torch.kron, "nm ka"), "trace": op(torch.trace, "nn"),
    "cross": op(lambda x, y: linalg.cross(x, y), "n3 n3"), "cross of columns": op(lambda x, y: torch.cross(x, y, dim=0), "3n 3n"),
    "einsum trace": op(lambda x: torch.einsum("ii", x), "nn"), "einsum": op(lambda x, y: torch.einsum("ank,akm->anm", x, y), "ank akm"),
    "einsum of three": op(lambda x, y, z: torch.einsum("nk,km,m->n", x, y, z), "nk km m"), "einsum diagonal": op(lambda x: torch.einsum("ii->i", x), "nn"),
    "einsum outer": op(lambda x, y: torch.einsum("i,j->ji", x, y), "n m"), "einsum sum": op(lambda x: torch.einsum("ijk->j", x), "nmk"),
    "addmm": op(lambda b, x, y: torch.addmm(b, x, y, beta=0.5, alpha=2), "m nk km", orders=1), "baddbmm": op(torch.baddbmm, "anm ank akm", orders=1),
    "addmv": op(torch.addmv, "n nk k", orders=1), "addr": op(torch.addr, "nm n m", orders=1), "addbmm": op(torch.addbmm, "nm ank akm", orders=1), "chain": op(lambda x, y, z: linalg.multi_dot([x, y, z]), "nk km mn"),
    "matrix_power": op(lambda x: linalg.matrix_power(x, 3), "nn"), "matrix_power 0": op(lambda x: linalg.matrix_power(x, 0) * x, "nn"),
    "det": op(linalg.det, "nn"), "slogdet": op(lambda x: linalg.slogdet(x)[1], "nn"), "logdet": op(lambda x: torch.logdet(_definite(x)), "nn"),
    "inv": op(linalg.inv, "nn"), "solve": op(linalg.solve, "nn nm"), "solve a vector": op(linalg.solve, "nn n"), "negative power": op(lambda x: linalg.matrix_power(x, -2), "nn"),
    "solve from the right": op(lambda x, y: linalg.solve(x, y, left=False), "nn mn"), "inv_ex": op(lambda x: linalg.inv_ex(x)[0], "nn"),
    "cholesky": op(lambda x: linalg.cholesky(_definite(x)), "nn"), "cholesky upper": op(lambda x: linalg.cholesky(_definite(x), upper=True), "nn"),
    "cholesky_solve": op(lambda x, y: torch.cholesky_solve(y, linalg.cholesky(_definite(x))), "nn nm"), "cholesky_inverse": op(lambda x: torch.cholesky_inverse(linalg.cholesky(_definite(x))), "nn"),
    "solve_triangular": op(lambda x, y: linalg.solve_triangular(x.tril() + 3 * torch.eye(len(x), dtype=x.dtype), y, upper=False), "nn nm"),
    "lu_solve": op(lambda x, y: linalg.lu_solve(*linalg.lu_factor(x), y), "nn nm"), "tensorinv": op(lambda x: linalg.tensorinv(x, ind=1), "nn"),
}  # fmt: skip


def _definite(x: T) -> T:
    return x @ x.mT + torch.eye(x.shape[-1], dtype=x.dtype)


MOVED = {
    **{name: op(f, "nmk", orders=1) for name, f in {
        "transpose": lambda x: x.transpose(0, 2), "permute": lambda x: x.permute(2, 0, 1), "mT": lambda x: x.mT, "swapaxes": lambda x: torch.swapaxes(x, 0, 1),
        "movedim": lambda x: torch.movedim(x, 0, 2), "reshape": lambda x: x.reshape(-1, x.shape[1]), "view": lambda x: x.view(-1), "flatten": lambda x: x.flatten(1),
        "unflatten": lambda x: x.flatten().unflatten(0, x.shape), "ravel": torch.ravel, "squeeze": lambda x: x[:, None].squeeze(1), "unsqueeze": lambda x: x.unsqueeze(-1),
        "expand": lambda x: x[:, :1].expand(x.shape), "broadcast_to": lambda x: torch.broadcast_to(x, (2, *x.shape)), "repeat": lambda x: x.repeat(2, 1, 1), "tile": lambda x: torch.tile(x, (2,)),
        "repeat_interleave": lambda x: x.repeat_interleave(2, 1), "flip": lambda x: x.flip(0, 2), "fliplr": torch.fliplr, "flipud": torch.flipud, "rot90": torch.rot90,
        "roll": lambda x: torch.roll(x, (1, -1), (0, 1)), "roll flat": lambda x: torch.roll(x, 1), "narrow": lambda x: x.narrow(0, 0, 1), "select": lambda x: x.select(1, -1),
        "slices": lambda x: x[:, ::2, -1:], "index by list": lambda x: x[:, [0, -1]], "index by arrays": lambda x: x[torch.tensor([0, -1]), torch.tensor([[0], [-1]])], "ellipsis": lambda x: x[..., 0, None],
        "cat": lambda x: torch.cat([x, x * 2, x[:1]]), "stack": lambda x: torch.stack([x, -x], 1), "hstack": lambda x: torch.hstack([x, x]), "vstack": lambda x: torch.vstack([x, x]), "dstack": lambda x: torch.dstack([x, x]),
        "column_stack": lambda x: torch.column_stack([x, x]), "split": lambda x: torch.split(x, 1, 0)[-1], "chunk": lambda x: torch.chunk(x, 2)[0], "tensor_split": lambda x: torch.tensor_split(x, 2, 1)[0],
        "unbind": lambda x: torch.unbind(x, -1)[0], "diagonal": lambda x: torch.diagonal(x, 0, 1, 2), "diag_embed": torch.diag_embed, "tril": torch.tril, "triu": lambda x: torch.triu(x, 1),
        "take_along_dim": lambda x: torch.take_along_dim(x, torch.argsort(x, 1), 1), "gather": lambda x: torch.gather(x, 0, torch.zeros_like(x, dtype=torch.int64)), "take": lambda x: torch.take(x, torch.tensor([0, -1])),
        "index_select": lambda x: torch.index_select(x, 1, torch.tensor([0, 0])), "scatter": lambda x: torch.scatter(x, 0, torch.zeros(1, *x.shape[1:], dtype=torch.int64), x[:1] * 2),
        "scatter_add": lambda x: torch.scatter_add(x, 0, torch.zeros_like(x, dtype=torch.int64), x), "index_add": lambda x: torch.index_add(x, 0, torch.tensor([0]), x[-1:]), "index_copy": lambda x: torch.index_copy(x, 0, torch.tensor([0]), x[-1:] * 3),
        "index_fill": lambda x: torch.index_fill(x, 1, torch.tensor([0]), 2.0), "index_put": lambda x: torch.index_put(x, (torch.tensor([0]),), x[-1:] * 2), "select_scatter": lambda x: torch.select_scatter(x, x[:, 0] ** 2, 1, 0),
        "slice_scatter": lambda x: torch.slice_scatter(x, x[:1] ** 2, 0, 0, 1), "diagonal_scatter": lambda x: torch.diagonal_scatter(x, torch.diagonal(x, 0, 1, 2) ** 2, 0, 1, 2), "pad": lambda x: F.pad(x, (1, 2, 0, 1)),
        "pad with a number": lambda x: F.pad(x, (1, 1), value=3.0),
        "unfold": lambda x: x.unfold(1, 1, 1), "clone": lambda x: x.clone().contiguous(), "new axes": lambda x: x[0, 0][None, :, None],
        "pixel_shuffle": lambda x: F.pixel_shuffle(x.repeat(4, 1, 1), 2), "hsplit": lambda x: torch.hsplit(x, [1])[0],
        "meshgrid": lambda x: torch.stack(torch.meshgrid(x[0, 0], x[:, 0, 0], indexing="ij")), "cartesian_prod": lambda x: torch.cartesian_prod(x[0, 0], x[:, 0, 0]), "detach": lambda x: x.detach() * x,
    }.items()},
    "as_strided": op(lambda x: torch.as_strided(x.contiguous(), (2, x.shape[2]), (0, 1)), "nmk", orders=1),
    "as_strided of a transpose": op(lambda x: torch.as_strided(x.mT, (2, len(x)), (0, 1)), "34", orders=1),
    "as_strided of rows": op(lambda x: torch.as_strided(torch.cat([x, x])[1:], (2, x.shape[1]), (0, 1)), "nm", orders=1),
    "pad circular": op(lambda x: F.pad(x, (1, 1), mode="circular"), "nmk"), "pad circular 2": op(lambda x: F.pad(x, (0, 1, 1, 0), mode="circular"), "anmk"),
    "pad replicate": op(lambda x: F.pad(x, (1, 3), mode="replicate"), "nmk"), "pad replicate 2": op(lambda x: F.pad(x, (0, 2, 1, 0), mode="replicate"), "anmk"),
    "pad reflect": op(lambda x: F.pad(torch.cat([x, x], -1), (1, 1), mode="reflect"), "nmk"),
    **named("diag diagflat", shapes="n"), "diag of a matrix": op(lambda x: torch.diag(x, -1), "nn"), "block_diag": op(torch.block_diag, "nm nk"), "vander": op(torch.vander, "n", orders=0), "vander increasing": op(lambda x: linalg.vander(x, N=4), "n", orders=0),
    "t": op(torch.t), "T": op(lambda x: x.T), "tril_indices": op(lambda x: x[torch.tril_indices(len(x), len(x)).unbind()], "nn"),
}  # fmt: skip

GROUPS = {name.lower(): table for name, table in globals().items() if name.isupper() and isinstance(table, dict)}

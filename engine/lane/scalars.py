"""Scalars of a lane's state: codes, losses and dtypes. Needs an array of the lane to know its library."""

from __future__ import annotations

from array_api_compat import device

from backends.types import Array, array_namespace
from engine.objective import Objective


def code(like: Array, value: int, dtype: str = "int8") -> Array:
    """An integer as a scalar of an array's library, a status code for instance."""
    xp = array_namespace(like)
    return xp.asarray(int(value), dtype=getattr(xp, dtype), device=device(like))


def unscaled_loss(loss: Array, objective: Objective) -> Array:
    """The loss behind one in the residual's unit; it may underflow or overflow."""
    return loss if objective.pow2_scales is None else loss * objective.pow2_scales["."] * objective.pow2_scales["."]


def cast_like(now: Array, before: Array) -> Array:
    """An entry of the state in the dtype that it had: a user's solver may have promoted it."""
    return now if now.dtype == before.dtype else array_namespace(now).astype(now, before.dtype)


def nan_like(array: Array) -> Array:
    """NaN for floats, 0 for other numbers."""
    xp = array_namespace(array)
    return xp.full_like(array, float("nan")) if xp.isdtype(array.dtype, "real floating") else xp.zeros_like(array)

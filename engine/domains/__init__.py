"""Domains: where a parameter lives. One class a domain, one line here. See `base` for what a domain is."""

from engine.domains.base import Domain
from engine.domains.closed import Box, Simplex
from engine.domains.linear import LowerTriangular, Real, Symmetric, UpperTriangular
from engine.domains.orthogonal import Orthogonal, UnitNorm
from engine.domains.positive import Positive, PositiveDefinite

__all__ = [
    "Box", "Domain", "LowerTriangular", "Orthogonal", "Positive", "PositiveDefinite", "Real", "Simplex", "Symmetric",
    "UnitNorm", "UpperTriangular",
]  # fmt: skip

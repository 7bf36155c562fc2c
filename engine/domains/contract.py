"""Checks of a domain when a `Param` is declared: its methods, and those that belong together. Needs `base`.

`probe` looks at its numbers once the shapes are known.
"""

from __future__ import annotations

from backends.contract import check_methods
from engine.domains.base import Domain
from engine.errors import ExtensionError

TOGETHER = (
    ("from_coordinates", ("to_coordinates",), "coordinates and gradients would not belong together"),
    ("to_coordinates", ("from_coordinates",), "coordinates and gradients would not belong together"),
    ("project", ("retract",), "a step of any solver would leave the domain"),
    ("retract", ("project",), "a start would not be brought into the domain"),
    ("move", ("project",), "a start would not be brought into the domain"),
)
"""A method, those that a class which writes it writes too, and why."""


def check(domain: object, owner: str) -> None:
    """Refuse an object that is no domain. Raises ExtensionError naming the owner."""
    if isinstance(domain, type) or not isinstance(domain, Domain):
        remedy = ": call it" if isinstance(domain, type) else ": derive its class from Domain" if _is_near(domain) else ""
        raise ExtensionError(f"{owner}: domain came as {domain!r}; expected one of engine.domains, such as Real(){remedy}")
    kind = type(domain)
    who = f"{owner}: domain {kind.__name__}"
    check_methods(who, domain, Domain)
    for name, others, why in TOGETHER:
        for other in others:
            if _writes(kind, name) and not _writes(kind, other):
                raise ExtensionError(f"{who} has its own {name} and no {other}; expected both, else {why}: write {other}")
    if _writes(kind, "project") and not (_writes(kind, "move") or _writes(kind, "from_coordinates")):
        raise ExtensionError(
            f"{who} has its own project and neither move nor from_coordinates; expected one of them, else second-order steps would leave "
            "the domain: write move, or derive from engine.domains.closed.Closed"
        )
    if domain.closed and not (_writes(kind, "inactive_mask") and _writes(kind, "riemannian_gradient")):
        raise ExtensionError(
            f"{who} is closed and has no inactive_mask or no riemannian_gradient; expected both, else no point on a face is stationary: write them"
        )
    if not isinstance(domain.names, tuple) or not all(isinstance(name, str) for name in domain.names):
        raise ExtensionError(f"{who}: its names came as {domain.names!r}; expected a tuple of names of data, such as ('lo',)")


def _is_near(domain: object) -> bool:
    return callable(getattr(domain, "retract", None))


def _writes(kind: type, name: str) -> bool:
    return getattr(kind, name) is not getattr(Domain, name)

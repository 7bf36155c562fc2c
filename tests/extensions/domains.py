"""Domains that are wrong in one way each: by their methods when a `Param` is declared, by their numbers when shapes are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from engine import Param, Problem
from engine.domains import Domain, Positive
from engine.domains.closed import Closed
from tests.recipes.domain import Traceless

B = np.ones((3, 2, 2))


def own(*bases: type, **methods: Any) -> Any:
    """A domain of one's own: a class Own with these methods."""
    return type("Own", bases or (Domain,), methods)()


def declare(domain: Any) -> Callable[[], Any]:
    return lambda: Param("n n", domain)


def run(**methods: Any) -> Callable[[], Any]:
    """A solve on the model of CONTRIBUTING.md with other methods."""

    def hand_in() -> Any:
        params = {"X": Param("n n", own(Traceless, **methods))}
        problem = Problem(name="near", data={"B": "n n"}, params=params, residual=lambda X, B: X - B)
        return engine.solve(problem, B, backend="torch", max_steps=3)

    return hand_in


def keep(self: Any, x: Any, *_: Any) -> Any:
    return x


def broken(self: Any, x: Any) -> Any:
    return x[:, 7]


WHO = "problem 'near': param 'X': domain Own"

WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "a class": (declare(Positive), ["Param: domain", "Positive", "call it"]),
    "a class of one's own": (declare(type("Ray", (), {"retract": keep})()), ["Param: domain", "Ray", "derive"]),
    "lift without pull": (
        declare(own(from_coordinates=keep)),
        ["domain Own", "own from_coordinates and no to_coordinates", "belong together", "write to_coordinates"],
    ),
    "project without retract": (
        declare(own(project=keep, from_coordinates=keep, to_coordinates=keep)),
        ["own project and no retract", "leave"],
    ),
    "project without move": (declare(own(project=keep, retract=keep)), ["neither move nor from_coordinates", "leave", "Closed"]),
    "retract without project": (declare(own(retract=keep)), ["own retract and no project", "start"]),
    "closed without faces": (declare(own(Closed, project=keep)), ["closed", "no inactive_mask", "stationary"]),
    "a method of other arguments": (declare(own(size=lambda self: 3)), ["domain Own: size takes ()", "size(shape)"]),
    "names that are one": (declare(own(names="lo")), ["names came as 'lo'", "tuple", "('lo',)"]),
    "half a coordinate": (run(size=lambda self, shape: 1.5), [WHO, "size gave 1.5", "(2, 2)", "whole number"]),
    "a pull of another length": (
        run(to_coordinates=lambda self, x, g: g),
        [WHO, "to_coordinates returned (2, 2)", "3 coordinates", "(3,)"],
    ),
    "a pull that is not the adjoint": (
        run(to_coordinates=lambda self, x, g: 2 * Traceless.to_coordinates(self, x, g)),
        [WHO, "to_coordinates is off by", "sum(from_coordinates(x, u) * g) = sum(u * to_coordinates(x, g))"],
    ),
    "a lift that is not linear": (
        run(from_coordinates=lambda self, x, u: Traceless.from_coordinates(self, x, u * u)),
        [WHO, "from_coordinates is off by", "linear in u"],
    ),
    "a start off the domain": (run(project=lambda self, x: x + 1), [WHO, "project is off by", "a point of the domain"]),
    "a step that leaves": (run(retract=lambda self, x, t: x + t), [WHO, "retract is off by", "project(retract(...))"]),
    "a step along another way": (
        run(move=lambda self, x, u: x + 2 * self.from_coordinates(x, u)),
        [WHO, "move is off by", "(move(x, h u) - x) / h = from_coordinates(x, u)"],
    ),
    "another dtype": (
        run(typical_scale=lambda self, x: abs(x.reshape(-1)[:-1]).float()),
        [WHO, "typical_scale", "float32", "convert"],
    ),
    "a method that raises": (run(project=broken), [WHO, "project raised IndexError", "(2, 2)", "one lane"]),
    "no domain for a lane": (run(bind=lambda self, data: None), [WHO, "bind returned None", "Domain"]),
}

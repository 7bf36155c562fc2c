"""First calls in fresh processes, for which a newcomer waits, as multiples of what `import torch` takes there.

    python -m bench.first_call [--repeats 5] [--only CASE] [--peers]

Prints a table in Markdown for each C++ compiler on the machine. A cold call has empty caches; a warm one finds its kernel on
disk. The import is not counted in a call, but in the last rows, which are whole processes. Run it on an idle machine.
"""

from __future__ import annotations

import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

import backends
import engine
import problems

HEAD = "import time, numpy as np, torch, engine, problems\nrng = np.random.default_rng(0)\n"
TIMED = "begun = time.perf_counter()\n{call}\nprint(time.perf_counter() - begun)\n"

SETUP = """
from array_api_compat import array_namespace
def decay(t, a, b, c):
    return a * array_namespace(t).exp(-b * t) + c
def square(n):
    return rng.standard_normal((100, n, n)) + 3 * np.eye(n)
t = np.linspace(0, 4, 32)
y = 2 * np.exp(-1.3 * t) + 0.5 + 0.02 * rng.standard_normal((100, 32))
"""

LEVENBERG = "engine.solve(problems.inverse(), square({n}), solver=engine.solvers.LevenbergMarquardt())"
CASES: dict[str, tuple[str, float]] = {
    "gradient descent, inverse n = 4": (
        "engine.solve(problems.inverse(), square(4), solver=engine.solvers.GradientDescent(0.5), max_steps=100)",
        0.6,
    ),
    "fit of a decay, three parameters": ("engine.solve(problems.curve_fit(decay), {'x': t, 'y': y})", 1.0),
    "Levenberg-Marquardt, inverse n = 4": (LEVENBERG.format(n=4), 1.0),
    "Levenberg-Marquardt, inverse n = 8": (LEVENBERG.format(n=8), 2.0),
    "SVD n = 8": ("engine.solve(problems.svd(), square(8))", 2.0),
    "SVD n = 16": ("engine.solve(problems.svd(), square(16))", 4.0),
    "eigh n = 16": ("a = square(16)\nengine.solve(problems.eigh(), a + a.swapaxes(1, 2))", 4.0),
}
"""Name -> the call, and the multiple of the import that it may take from empty caches."""

WARM = {"fit of a decay, three parameters": 0.6}
"""Multiples from a warm disk cache, where it is not the catalogue's 0.25."""

MODELS = """
import time, numpy as np, torch, engine, problems
from array_api_compat import array_namespace as ns
rng = np.random.default_rng(0)
x = np.linspace(0.1, 3, 40)
models = [
    lambda x, a, b: a * x + b,
    lambda x, a, b, c: a * x**2 + b * x + c,
    lambda x, a, b: a * ns(x).exp(-b * x),
    lambda x, a, b, c: a * ns(x).exp(-b * x) + c,
    lambda x, a, b, c, d: a * ns(x).exp(-b * x) + c * ns(x).exp(-d * x),
    lambda x, a, b: a * x / (b + x),
    lambda x, a, b, c: a * x**b / (c**b + x**b),
    lambda x, a, b, c: a / (1 + ns(x).exp(-b * (x - c))),
    lambda x, a, b, c, d: d + a / (1 + ns(x).exp(-b * (x - c))),
    lambda x, a, m, s: a * ns(x).exp(-(((x - m) / s) ** 2) / 2),
    lambda x, a, m, s, c: a * ns(x).exp(-(((x - m) / s) ** 2) / 2) + c,
    lambda x, a, m, s, c, d: a * ns(x).exp(-(((x - m) / s) ** 2) / 2) + c + d * x,
    lambda x, a, m, w: a / (1 + ((x - m) / w) ** 2),
    lambda x, a, m, w, c: a / (1 + ((x - m) / w) ** 2) + c,
    lambda x, a, f, p: a * ns(x).sin(f * x + p),
    lambda x, a, f, p, b: a * ns(x).exp(-b * x) * ns(x).sin(f * x + p),
    lambda x, a, f, p, b, c: a * ns(x).exp(-b * x) * ns(x).cos(f * x + p) + c,
    lambda x, a, b: a * ns(x).log(x) + b,
    lambda x, a, b: a * x**b,
    lambda x, a, b, c, d, e, f: a + b * x + c * x**2 + d * x**3 + e * x**4 + f * x**5,
]
begun = time.perf_counter()
for model in models:
    count = model.__code__.co_argcount - 1
    truth = rng.uniform(0.5, 1.5, (50, count))
    y = np.stack([np.asarray(model(x, *lane)) for lane in truth]) + 0.01 * rng.standard_normal((50, 40))
    start = dict(zip(model.__code__.co_varnames[1 : count + 1], (1.1 * truth).T))
    engine.solve(problems.curve_fit(model), {"x": x, "y": y}, start=start)
print(time.perf_counter() - begun)
"""

COMPILED = """
import time, torch
def gradient(X, A):
    return torch.func.grad(lambda X: ((X @ A - torch.eye(4)) ** 2).mean())(X)
A = torch.randn(100, 4, 4)
step = torch.compile(torch.vmap(gradient))
begun = time.perf_counter()
step(A, A)
print(time.perf_counter() - begun)
"""

OPTIMISTIX = """
import time, jax, jax.numpy as jnp, numpy as np, optimistix as optx
jax.config.update("jax_enable_x64", True)
t = jnp.linspace(0, 4, 32)
y = 2 * jnp.exp(-1.3 * t) + 0.5 + 0.02 * np.random.default_rng(0).standard_normal((100, 32))
def residual(p, y):
    return p[0] * jnp.exp(-p[1] * t) + p[2] - y
solver = optx.LevenbergMarquardt(rtol=1e-8, atol=1e-8)
fit = jax.jit(jax.vmap(lambda y: optx.least_squares(residual, solver, jnp.ones(3), y, throw=False).value))
begun = time.perf_counter()
fit(y).block_until_ready()
print(time.perf_counter() - begun)
"""


def run(code: str, cache: str, compiler: str = "") -> float:
    """The output of a fresh process."""
    environment = _environment(cache) | {"PYTHONPATH": "."} | ({"CXX": compiler} if compiler else {})
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(found.stdout.split()[-1])


def _environment(cache: str) -> dict[str, str]:
    return os.environ | {"LANEWISE_CACHE": cache, "TORCHINDUCTOR_CACHE_DIR": cache, "OMP_WAIT_POLICY": "passive"}


def median(code: str, repeats: int, compiler: str = "") -> tuple[float, float]:
    """Of fresh processes: with empty caches, and with the caches that another one filled."""
    cold, warm = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory(prefix="lanewise-first-") as cache:
            cold.append(run(code, cache, compiler))
            warm.append(run(code, cache, compiler))
    return statistics.median(cold), statistics.median(warm)


def whole(repeats: int) -> float:
    """Seconds of `lanewise solve inverse A.npy -o out.npz` with a warm cache, start of Python included."""
    times = []
    with tempfile.TemporaryDirectory(prefix="lanewise-first-") as folder:
        path = Path(folder)
        np.save(path / "A.npy", np.eye(4) + np.ones((100, 4, 4)))
        front = Path(sys.executable).with_name("lanewise")
        command = [str(front), "solve", "inverse", str(path / "A.npy"), "-o", str(path / "out.npz")]
        for _ in range(repeats + 1):
            (path / "out.npz").unlink(missing_ok=True)
            begun = time.perf_counter()
            subprocess.run(command, env=_environment(folder), capture_output=True, check=True)
            times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


@click.command()
@click.option("--repeats", default=5, show_default=True, help="Fresh processes a figure is the median of.")
@click.option("--only", default="", help="Cases that begin so.")
@click.option("--peers", is_flag=True, help="torch.compile of a step and jax.jit of optimistix' fit, too.")
def main(repeats: int, only: str, peers: bool) -> None:
    """Time first calls."""
    for package in (backends, engine, problems):  # as an installation has them: compiled to bytecode
        compileall.compile_dir(str(Path(package.__file__ or "").parent), quiet=1)
    torch_import = "import time; b = time.perf_counter(); import torch; print(time.perf_counter() - b)"
    unit = statistics.median(run(torch_import, "") for _ in range(repeats + 1))
    click.echo(f"`import torch` takes {unit:.2f} s here; figures are multiples of it.\n")
    for compiler in [name for name in ("g++", "clang++") if shutil.which(name)]:
        click.echo(f"| {compiler} | empty cache | at most | warm cache | at most |\n| --- | ---: | ---: | ---: | ---: |")
        for name, (call, most) in CASES.items():
            if name.startswith(only):
                cold, warm = median(HEAD + SETUP + TIMED.format(call=call), repeats, compiler)
                click.echo(f"| {name} | {cold / unit:.2f} | {most} | {warm / unit:.2f} | {WARM.get(name, 0.25)} |")
        if "twenty models".startswith(only):
            cold, warm = median(MODELS, 1, compiler)
            click.echo(f"| twenty models, one after the other | {cold / unit:.1f} | 20 | {warm / unit:.1f} | |")
        click.echo()
    if "lanewise solve".startswith(only):
        click.echo(f"`lanewise solve inverse A.npy -o out.npz`, all of it, warm: {whole(repeats) / unit:.2f} (at most 0.5)")
    for name, code in (("torch.compile of vmap(grad), n = 4", COMPILED), ("jax.jit of optimistix' fit", OPTIMISTIX)):
        if peers and name.startswith(only):
            cold, _ = median(code, repeats)
            click.echo(f"{name}, first call: {cold / unit:.2f}")


if __name__ == "__main__":
    main()

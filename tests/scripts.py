"""Scripts that declare a user's problem, and changes of them that are another problem or none that can be named."""

from __future__ import annotations

SCRIPT = """
import dataclasses, functools, math, types, typing
import numpy as np, torch
import engine, problems
from array_api_compat import array_namespace
from engine import Param, Problem
from engine.domains import Box

RATE, FACTOR = 2.0, 3.0
TABLE = [1.0, {"a": (2, 3.0)}]
W = np.ones(2)
PLACES = np.array([1, 0])
module = types.ModuleType("mymodel")
exec("SHIFT = 1.0\\ndef shifted(x):\\n    return x + SHIFT\\nunread = open", vars(module))

def deepest(x):
    return x * 3.0

def deeper(x):
    return deepest(x) + 1.0

def helper(x, gain=2.0, *, offset=1.0):
    return gain * deeper(x) + offset

def decorator(function):
    @functools.wraps(function)
    def wrapped(x):
        return function(x) * 1.5
    return wrapped

@decorator
def decorated(x):
    return x + 1.0

class Meta(type):
    factor = 1.0

class Base:
    bias = 0.5
    def scaled(self, x):
        return x * self.rate

class Model(Base, metaclass=Meta):
    KIND = 1
    def __init__(self):
        self.rate = 2.0
    @property
    def doubled(self):
        return 2.0 * self.rate
    @staticmethod
    def still(x):
        return x - 1.0
    @classmethod
    def of(cls, x):
        return x + cls.bias
    def __call__(self, x):
        return self.scaled(x) + self.doubled + self.still(x) + self.of(x) + type_factor(self)

def type_factor(model):
    return model.KIND

class Slotted:
    __slots__ = ("a", "__b")
    def __init__(self):
        self.a, self.__b = 1.0, 2.0
    def both(self, x):
        return self.a * x + self.__b

@dataclasses.dataclass(frozen=True)
class Config:
    power: int = 2
    names: tuple = ("p", "q")
    made: list = dataclasses.field(default_factory=list)
    def own(self, x):
        return x * FACTOR

class Pair(typing.NamedTuple):
    first: float
    second: float = 4.0

model, slotted, config, pair, space = Model(), Slotted(), Config(), Pair(1.0), types.SimpleNamespace(level=3.0)
partial = functools.partial(helper, gain=5.0)

def closed(number):
    return lambda x: x * number

def switch(x, y):
    if x.shape[0] not in {2, 3}:
        raise ValueError(f"{x.shape[0]} entries")
    return x - y

def residual(x, y):
    xp = array_namespace(x)
    total = RATE * x + TABLE[1]["a"][1] + helper(x) + decorated(x) + model(x) + slotted.both(x) + x ** config.power + pair.second + config.own(x)
    total = total + space.level + partial(x) + closed(7.0)(x) + module.shifted(x) + y[PLACES] * W + xp.exp(x) + math.pi
    total = total + sum([k * x for k in range(3)]) + (lambda t: t - 0.25)(x) + switch(x, y)
    return xp.where(x > 0, total, -total) + np.float64(0.5) - y

def declared():
    return Problem(name="p", data={"y": "n"}, params={"x": Param("n", Box(-9.0, 9.0), start="zeros")}, residual=residual, weights={"": 2.0})
"""

MUTATIONS = {
    "a constant of the function": ("+ np.float64(0.5)", "+ np.float64(0.75)"),
    "an operator": ("- y\n\ndef declared", "+ y\n\ndef declared"),
    "a global number": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.5, 3.0"),
    "the type of a global number": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2, 3.0"),
    "a number that a dataclass's method reads": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.5"),
    "a dataclass's factory": ("default_factory=list", "default_factory=lambda: [1]"),
    "a number deep in a container": ("(2, 3.0)", "(2, 3.5)"),
    "a key of a container": ('TABLE = [1.0, {"a": (2, 3.0)}]', 'TABLE = [1.0, {"a": (2, 3.0), "b": 1}]'),
    "the kind of a container": ("(2, 3.0)", "[2, 3.0]"),
    "a helper's default": ("gain=2.0, *", "gain=3.0, *"),
    "a helper's keyword default": ("offset=1.0):", "offset=4.0):"),
    "a helper's body": ("gain * deeper(x) + offset", "gain * deeper(x) - offset"),
    "a helper's helper": ("deepest(x) + 1.0", "deepest(x) + 2.0"),
    "a helper's helper's helper": ("x * 3.0", "x * 4.0"),
    "a decorator": ("function(x) * 1.5", "function(x) * 2.5"),
    "a decorated function": ("    return x + 1.0\n\nclass", "    return x + 2.0\n\nclass"),
    "no decorator": ("@decorator\n", ""),
    "a class attribute": ("bias = 0.5", "bias = 0.75"),
    "an attribute of a subclass": ("KIND = 1", "KIND = 2"),
    "a method of a base class": ("return x * self.rate", "return x / self.rate"),
    "an instance's field": ("self.rate = 2.0", "self.rate = 3.0"),
    "a property": ("2.0 * self.rate", "3.0 * self.rate"),
    "a static method": ("return x - 1.0", "return x - 2.0"),
    "a class method": ("x + cls.bias", "x - cls.bias"),
    "a metaclass": ("factor = 1.0", "factor = 2.0"),
    "__call__": ("self.scaled(x) + self.doubled", "self.scaled(x) - self.doubled"),
    "a new __getattr__": ("    KIND = 1", "    KIND = 1\n    def __getattr__(self, name):\n        raise AttributeError(name)"),
    "a slot": ("= 1.0, 2.0", "= 1.5, 2.0"),
    "a private slot": ("= 1.0, 2.0", "= 1.0, 2.5"),
    "a dataclass's default": ("power: int = 2", "power: int = 3"),
    "a dataclass's tuple": ('("p", "q")', '("p", "r")'),
    "a named tuple's field": ("Pair(1.0)", "Pair(1.5)"),
    "a named tuple's default": ("second: float = 4.0", "second: float = 5.0"),
    "a namespace": ("level=3.0", "level=3.5"),
    "an argument of a partial function": ("gain=5.0", "gain=6.0"),
    "a number in a closure": ("closed(7.0)", "closed(8.0)"),
    "a number that a function is given": ("lambda x: x * number", "lambda x: x + number"),
    "a function of a user's module": ("return x + SHIFT", "return x - SHIFT"),
    "a number of a user's module": ("SHIFT = 1.0", "SHIFT = 2.0"),
    "the dtype of a captured array": ("W = np.ones(2)", "W = np.ones(2, np.float32)"),
    "the shape of a captured array": ("W = np.ones(2)", "W = np.ones((2, 1))"),
    "captured indices": ("np.array([1, 0])", "np.array([0, 1])"),
    "an array that is no longer one": ("W = np.ones(2)", "W = 1.0"),
    "one array less": ("PLACES = np.array([1, 0])", "PLACES = slice(None)"),
    "a function of a namespace": ("xp.exp(x)", "xp.sin(x)"),
    "a constant of a library": ("math.pi", "math.e"),
    "a library": ("from array_api_compat import array_namespace", "array_namespace = lambda x: torch"),
    "a comprehension": ("k * x for k", "k + x for k"),
    "a comprehension's range": ("range(3)", "range(4)"),
    "a nested lambda": ("t - 0.25", "t + 0.25"),
    "numbers that a shape is looked up in": ("{2, 3}", "{2, 4}"),
    "weights' names": ('weights={"": 2.0}', "weights=2.0"),
    "a bound": ("Box(-9.0, 9.0)", "Box(-9.0, 8.0)"),
    "a domain": (", Box(-9.0, 9.0)", ""),
    "the role of a function": ("residual=residual, weights={\"\": 2.0}", "loss=lambda x, y: residual(x, y).sum()"),
    "a measure": ("residual=residual", "residual=residual, measures={'m': lambda x: x}"),
    "np.exp by a lambda": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nnp.exp = lambda x: 2 * x"),
    "np.exp by np.sin": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nnp.exp = np.sin"),
    "np.sum by np.cumulative_sum": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nnp.sum = np.cumulative_sum"),
    "torch.exp by torch.matrix_exp": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.exp = torch.matrix_exp"),
    "a method of torch's by an object": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.Tensor.sum = functools.partialmethod(torch.Tensor.prod)"),
    "torch.exp by a lambda": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.exp = lambda x: 2 * x"),
    "torch.exp by torch.sin": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.exp = torch.sin"),
    "the namespace's where": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport array_api_compat.torch as at\nat.where = lambda c, a, b: a"),
    "a helper of the namespace": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport array_api_compat.torch._aliases as at\nat._fix_promotion = lambda *a, **k: a"),
    "an operator of tensors": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.Tensor.__add__ = lambda a, b: torch.sub(a, b)"),
    "an operator of tensors by another": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.Tensor.__add__ = torch.Tensor.__sub__"),
    "math.pi": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nmath.pi = 3.0"),
    "a builtin": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport builtins\nolder = sum\nbuiltins.sum = lambda *given: older(*given)"),
    "a global that hides a builtin": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nsum = lambda x: x[0]"),
    "torch's own dispatch": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.Tensor.__torch_function__ = classmethod(lambda cls, f, t, a=(), k=None: f(*a))"),
    "a partial function in a library": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport array_api_compat.torch._aliases as at\nat._fix_promotion = functools.partial(lambda *a: a)"),
    "a module in a library": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport array_api_compat.torch._aliases as at\nat.torch = types.ModuleType('torch')"),
    "a namespace in a library": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport array_api_compat.torch._aliases as at\nat.torch = types.SimpleNamespace()"),
    "NumPy by a copy": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport sys\nfake = types.ModuleType('numpy')\nvars(fake).update(vars(np))\nsys.modules['numpy'] = np = fake"),
    "the class of NumPy": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nclass Module(types.ModuleType):\n    pass\nnp.__class__ = Module"),
    "a module of the engine by another": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport sys\nsys.modules['engine.curvature'] = types.ModuleType('engine.curvature')"),
    "a function of the engine": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport engine.curvature\nengine.curvature.solve = lambda *a: 0"),
    "a default of the engine": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nimport backends.tree\nbackends.tree.leaves.__defaults__ = (1,)"),
    "a table of the engine": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nfrom backends.torch import purity\npurity.REPLACED.clear()"),
    "the notes of what was loaded": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nfrom backends import pristine\npristine._NOTES.clear()"),
    "a class of problems": (
        "RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\nclass Problem(Problem):\n    exact = True"),
    "a mode of torch": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.set_default_device('cpu')"),
    "the code of a library's function": ("RATE, FACTOR = 2.0, 3.0", "RATE, FACTOR = 2.0, 3.0\ntorch.einsum.__code__ = (lambda *o: o[1]).__code__"),
}  # fmt: skip
"""Changes of the script: from and to."""

IMPURE = {
    "the environment": "x * float(os.environ.get('HOME') is not None)",
    "a clock": "x * time.time()",
    "a random number of Python": "x * random.random()",
    "a random number of NumPy": "x * np.random.rand()",
    "a generator": "x * rng.random()",
    "a file": "x * len(open(os.devnull).read())",
    "an imported clock": "x * clock()",
    "a computed name": "getattr(np, 'ran' + 'dom').rand() * x",
    "a name in a text": "operator.attrgetter('random.rand')(np)() * x",
    "globals": "globals()['RATE'] * x",
    "an evaluated text": "eval('RATE') * x",
    "an imported module": "__import__('time').time() * x",
    "an import": "clocked(x)",
    "an address": "x * id(x)",
    "a hash": "x * hash('x')",
    "a text of an object": "x * len(str(anything))",
    "a formatted object": "x * len(f'{anything}')",
    "a set's order": "x * len(list({'a', 'bb'})[0])",
    "a set's order in a comprehension": "x * len([w for w in {'a', 'bb'}][0])",
    "a captured set": "x * len(next(iter(WORDS)))",
    "a cache": "x * cached()",
    "a function's globals": "x * helper.__globals__['RATE']",
    "a class's subclasses": "x * len(object.__subclasses__())",
    "a module behind a module": "x * np.lib.os.getpid()",
    "memory that was not written": "x * np.empty(1)[0]",
    "an object of a library": "x * counter.__next__()",
    "a number of threads": "x * torch.get_num_threads()",
    "a module with computed attributes": "computed.shifted(x)",
    "an array in a class": "x * Holder.array",
    "a subclass of a list": "x * LIST[0]",
    "a name that a class shares with NumPy": "x * named.random.rand()",
    "a module under a false name": "x * fake.pi",
    "a function with builtins of its own": "strange(x)",
    "whether two names are one object": "x * (WORDS is anything)",
    "whether an entry is an object": "x * (WORDS is PAIR[0])",
    "a text of an object by %": "x * len('%s' % anything)",
    "an attribute of a partial function": "x * Holder.partial.rate()",
    "a function of a library on a class": "Holder.shuffle([1, 2]) or x",
    "a class's closed methods": "x * dressed.rate()",
    "a getter that is none": "x * Holder.odd",
    "an unfinished text": "x * float('{}'.format(anything))",
    "a tensor of a class": "x * Holder.tensor",
    "a library that is not known": "x * fractions.Fraction(1, 2)",
    "a method of an instance that is no copy": "x * np.lib.NumpyVersion('1.0.0').major",
}
"""Expressions that have no name."""

IMPURE_SCRIPT = """
import dataclasses, fractions, functools, itertools, operator, os, random, sys, time, types
from time import time as clock
import numpy as np, torch
from engine import Param, Problem

RATE, WORDS, anything, rng, counter = 2.0, {"a", "bb"}, object(), np.random.default_rng(), itertools.count()
helper = lambda x: x
computed = types.ModuleType("computed")
computed.__getattr__ = lambda name: {"shifted": lambda x: x}.get(name) or object().missing
fake = types.ModuleType("math")
fake.pi = 3.0
strange = types.FunctionType((lambda x: abs(x)).__code__, {"__builtins__": {"abs": lambda x: x}})

class Named:
    random = rand = 1.0
named = types.SimpleNamespace(random=np.random, rand=1.0)
named = Named()

class List(list):
    pass
LIST = List([2.0])

PAIR = [WORDS, 1.0]

class _tuplegetter:
    def __get__(self, instance, owner):
        return time.time()

class Holder:
    array, tensor = np.ones(1), torch.ones(1)
    partial = functools.partial(helper)
    partial.rate = time.time
    odd = _tuplegetter()
    shuffle = staticmethod(random.shuffle)

@dataclasses.dataclass
class Dressed:
    a: float = 1.0
    rate = staticmethod(lambda: time.time())
dressed = Dressed()

@functools.cache
def cached():
    return RATE

def clocked(x):
    import time
    return x * time.time()

def declared():
    return Problem(name="p", data={"y": "n"}, params={"x": Param("n", start="zeros")}, residual=lambda x, y: EXPRESSION)
"""

"""Call every public function with wrong arguments, and print the calls whose error is unclear.

Run as a program, since an import hook of the tests checks types that users' calls do not check:
`python tests/fuzz_calls.py CALLS SEED [PACKAGE ...]`; with no calls, those of the corpus are made,
whose errors were once unclear.  Each call takes plausible values by the parameters' names, and
wrong ones for one or two of them.  It may return, or raise a `TypeError` or `ValueError` of ours,
in one line that names a parameter of the function.
"""

import importlib
import inspect
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGALRM, alarm, signal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import landscape_jax as lj
from landscape_jax.public_names import exported

CORPUS = Path(__file__).with_name("fuzz_corpus.json")
PACKAGES = (
    "", "critical", "exact", "networks", "objectives", "proofs", "search", "sweeps", "native",
    "theory.added_neurons", "theory.constructions", "theory.deep_linear", "theory.cells",
    "theory.parallel_weights", "theory.basins", "theory.overspecification", "studies.ss16",
    "studies.ss18", "studies.kk20", "studies.liu20", "studies.width", "studies.atlas", "symmetric",
    "plots",
)  # fmt: skip
# The classes that users make; the others hold results.
MADE = (
    "PopulationRisk", "JointRisk", "MonteCarloRisk", "EmpiricalRisk", "NeuronAugmented", "TwoLayer",
    "DeepLinear", "Mlp", "HiddenNeurons", "Mixture",
)  # fmt: skip
# What is given instead of defaults that take long.
QUICK = {
    "sizes": [(2, 2)],
    "teachers": [2],
    "extra": [0],
    "restarts": 2,
    "starts": 2,
    "points": 5,
    "rounds": 1,
    "max_steps": 8,
    "count": 2,
}
# Seconds and bytes that one call may take.
TIME, MEMORY = 60, 12 * 2**30
# Seconds that a compiler takes for more than single operations of arrays.
COMPILATION = 0.25

jax.config.update("jax_enable_x64", True)
X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5]])
Y = np.array([1.0, -1.0, 0.5, 0.0])
KEY = jax.random.key(0)
VALUES: dict[str, Callable[[], Any]] = {
    # Plausible ones.
    "x": lambda: X, "column": lambda: X[:, :1], "rows": lambda: X.tolist(), "y": lambda: Y,
    "labels": lambda: Y[:, None], "W": lambda: 0.5 * np.eye(2), "traced W": lambda: jnp.eye(2) / 2,
    "points": lambda: np.eye(2)[None] / 2, "key": lambda: KEY,
    "risk": lambda: lj.PopulationRisk(jnp.eye(2)), "data": lambda: lj.EmpiricalRisk(X, Y),
    "start": lambda: lj.starts.gaussian((2, 2)),
    "network": lambda: lj.starts.network(lj.TwoLayer, (2, 2, 1), activation="tanh")(KEY),
    "linear": lambda: lj.starts.network(lj.DeepLinear, (2, 2, 1))(KEY),
    "sgd": lambda: optax.sgd(0.1), "pair": lambda: lj.theory.overspecification.relu_pair(0.1),
    "sizes": lambda: (2, 2, 1), "teacher": lambda: np.eye(2), "relu": lambda: "relu",
    "tanh": lambda: "tanh", "1": lambda: 1, "2": lambda: 2, "4": lambda: 4, "1000": lambda: 1000,
    "0.1": lambda: 0.1, "indices": lambda: np.arange(2),
    "patterns": lambda: np.ones((1, 4, 2), bool), "ones": lambda: np.ones(2),
    # Wrong ones for most parameters.
    "None": lambda: None,
    "True": lambda: True, "-1": lambda: -1, "0": lambda: 0, "1.5": lambda: 1.5,
    "nan": lambda: float("nan"), "inf": lambda: float("inf"), "-inf": lambda: -float("inf"),
    "2**31": lambda: 2**31, "2**63": lambda: 2**63, "10**30": lambda: 10**30,
    "1e308": lambda: 1e308, "1j": lambda: 1j, "''": lambda: "", "'abc'": lambda: "abc",
    "NUL": lambda: "\0", "bytes": lambda: b"abc", "[]": list, "()": lambda: (),
    "{}": dict, "{a}": lambda: {"a": 1}, "set": lambda: set(), "object": lambda: object(),
    "class": lambda: object, "function": lambda: lambda: None,
    "identity": lambda: lambda *given: given, "iterator": lambda: iter([1]),
    "NaNs": lambda: np.nan * X, "empty": lambda: np.zeros(0), "no rows": lambda: np.zeros((0, 2)),
    "no columns": lambda: np.zeros((2, 0)), "three axes": lambda: np.zeros((2, 2, 2)),
    "a string": lambda: np.array("abc"), "strings": lambda: np.array([["a", "b"]]),
    "objects": lambda: np.array([None, 1]), "complex": lambda: np.ones((2, 2), complex),
    "integers": lambda: np.ones((3, 3), int), "booleans": lambda: np.ones(4, bool),
    "float32": lambda: np.float32(1), "int64": lambda: np.int64(2),
    "jax float": lambda: jnp.float32(2), "jax integers": lambda: jnp.arange(3),
    "infinities": lambda: jnp.inf * jnp.ones((2, 2)), "ragged": lambda: [[1, 2], [3]],
    "texts": lambda: [["1", "2"]], "large": lambda: X * 1e200,
    "raw key": lambda: jax.random.PRNGKey(0), "array 2": lambda: np.array(2),
    "array True": lambda: np.array(True), "range": lambda: range(3), "'tanhh'": lambda: "tanhh",
    "[None]": lambda: [None], "blocks": lambda: [1, 5],
    "values": lambda: [[-0.67, 0.17, 0], [0.24, 1.0, -0.04]],
    "listed": lambda: [lj.studies.atlas.ListedPoint(0, 1, (2,), (2,), np.array([[1.0, 0.0]]))],
}  # fmt: skip
PLAUSIBLE = {
    "x": "x column rows", "y": "y labels", "objective": "risk data", "risk": "risk data",
    "network": "network linear", "params": "W network", "W": "W traced_W", "key": "key",
    "start": "start", "points": "points W 4", "runs_or_points": "points", "restarts": "2 indices",
    "width": "1 2", "widths": "2 indices", "dim": "2 4", "dims": "2 indices", "seed": "0 1",
    "tolerance": "0.1", "epsilon": "0.1", "radius": "0.1", "activation": "relu tanh",
    "penalty": "1", "limit": "1000", "count": "2", "starts": "4", "samples": "4 x", "steps": "4",
    "teacher": "teacher", "pair": "pair", "sizes": "sizes", "size": "4", "optimizer": "sgd",
    "patterns": "patterns", "v": "ones", "blocks": "blocks", "values": "values",
}  # fmt: skip


def functions(packages: tuple[str, ...] = PACKAGES) -> dict[str, Callable[..., Any]]:
    """Return the public functions, and the classes that users make, by their paths.

    Without `studies.ss16.figure_f`, which takes minutes whatever it is given.
    """
    found: dict[str, Callable[..., Any]] = {}
    for package in packages:
        path = f"landscape_jax.{package}".rstrip(".")
        module = importlib.import_module(path)
        for name in exported(path):
            thing = getattr(module, name)
            callables = callable(thing) and (not inspect.isclass(thing) or name in MADE)
            if callables and name != "figure_f" and thing not in found.values():
                found[f"{path}.{name}"] = thing
    for module in (lj.starts, lj.slices, lj.activations, lj.criteria):
        for name in dir(module):
            if inspect.isfunction(getattr(module, name)):
                found[f"{module.__name__}.{name}"] = getattr(module, name)
    return found


def drawn(thing: Callable[..., Any], rng: np.random.Generator) -> dict[str, str]:
    """Draw the names of arguments, one or two of them wrong."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    every = inspect.signature(thing).parameters.values()
    parameters = [parameter for parameter in every if parameter.kind not in several]
    wrong = rng.permutation(len(parameters))[: 1 + rng.integers(2)].tolist()

    def choose(names: list[str]) -> str:
        return names[rng.integers(len(names))].replace("_", " ")

    given = {}
    for at, parameter in enumerate(parameters):
        plausible = PLAUSIBLE.get(parameter.name, "").split()
        if at in wrong or (parameter.default is parameter.empty and not plausible):
            given[parameter.name] = choose(list(VALUES))
        elif parameter.default is parameter.empty:
            given[parameter.name] = choose(plausible)
    return given


def verdict(thing: Callable[..., Any], names: dict[str, str]) -> str | None:
    """Return what is unclear about the error of a call; `None` where there is nothing."""
    signature = inspect.signature(thing)
    given: dict[str, Any] = {
        name: QUICK[name]
        for name, parameter in signature.parameters.items()
        if name in QUICK and parameter.default is not parameter.empty
    }
    given |= {name: VALUES[value]() for name, value in names.items()}
    first = [
        given.pop(name)
        for name, parameter in signature.parameters.items()
        if parameter.kind is parameter.POSITIONAL_ONLY and name in given
    ]
    try:
        alarm(TIME)
        found = thing(*first, **given)
        if isinstance(found, Iterator):
            next(found, None)
    except TimeoutError:
        return f"took more than {TIME} s"
    except BaseException as error:
        # A network is a function of its inputs; what JAX says of wrong ones is its own error.
        if names.get("objective") in ("network", "linear") and isinstance(
            error, TypeError | ValueError
        ):
            return None
        return _unclear(error, signature, list(filter(callable, given.values())))
    finally:
        alarm(0)
    return None


def _unclear(
    error: BaseException, signature: inspect.Signature, functions: list[Callable[..., Any]]
) -> str | None:
    """Return what is unclear about an error of a call with some functions among its arguments."""
    where, text = traceback.extract_tb(error.__traceback__)[-1], str(error)
    shown = f"{type(error).__name__}: {text[:200]} ({where.filename}:{where.lineno})"
    # A path that is given and leads nowhere.
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return None
    # Of YSJ19's condition, which it names; and where functions of one's own fail by themselves.
    own = isinstance(lj.starts.gaussian((2, 2)), tuple(map(type, functions)))
    if own or type(error).__name__ == "ConditionError":
        return None
    if not isinstance(error, TypeError | ValueError):
        return f"raises {shown}"
    # A given function that takes other arguments says so itself.
    if functions and ("positional argument" in text or "takes no arguments" in text):
        return None
    if "landscape_jax" not in where.filename:
        return f"raises an error that is not ours: {shown}"
    if "\n" in text or len(text) > 500:
        return f"says more than a line: {shown}"
    parameters = set(signature.parameters)
    # An objective names its own argument.
    parameters |= (
        {"W", "network"} if any(isinstance(f, lj.AbstractObjective) for f in functions) else set()
    )
    words = "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
    words += [f"{word}s" for word in words]
    return None if parameters & set(words) else f"names no parameter: {shown}"


def chosen(calls: int, seed: int, known: dict[str, Callable[..., Any]]) -> Iterator[dict[str, Any]]:
    """Yield the calls that are made."""
    if not calls:
        yield from json.loads(CORPUS.read_text(encoding="utf-8"))
    for number in range(calls):
        path = list(known)[number % len(known)]
        rng = np.random.default_rng([seed, number])
        yield {"function": path, "arguments": drawn(known[path], rng)}


def main(calls: int, seed: int, packages: tuple[str, ...]) -> None:
    """Make the calls, and print what was unclear and how many reached a compiler."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")

    def interrupt(*_: Any) -> None:
        raise TimeoutError

    signal(SIGALRM, interrupt)
    spent = []

    def listen(event: str, duration_secs: float, **_: Any) -> None:
        if "backend_compile" in event:
            spent.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    known, made, reached, unclear = functions(packages), 0, 0, []
    for call in chosen(calls, seed, known):
        print(json.dumps(call), file=sys.stderr, flush=True)
        spent.clear()
        reason = verdict(known[call["function"]], call["arguments"])
        made, reached = made + 1, reached + (sum(spent) > COMPILATION)
        if reason is not None:
            unclear.append(call | {"reason": reason})
    print(json.dumps({"calls": made, "compiled": reached, "unclear": unclear}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), tuple(sys.argv[3:]) or PACKAGES)

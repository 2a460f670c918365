"""Every compiled function of the package, lowered for CUDA and TPU together on any machine.

`TABLE` has one row for each: its inputs are float32, at the smallest sizes.  A row named by the
path of a jitted function calls a public one that uses it, and its arguments there are lowered.  The
other rows return a function and its arguments.  To add a function, add a row.
"""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import export

import landscape_jax as lj
from landscape_jax.critical import lowest_nearby, padding_matrix
from landscape_jax.critical.first_order import least_growth
from landscape_jax.critical.judgement import falls_to_global, judge
from landscape_jax.objectives.protocols import Attained
from landscape_jax.search.parameters import first_entry
from landscape_jax.studies.liu20 import trapping_data, two_samples
from landscape_jax.studies.ss16.first_layer_descents import FirstLayer, walked
from landscape_jax.theory import added_neurons, basins, cells, deep_linear, parallel_weights
from landscape_jax.theory import overspecification as over

HOUSE = Path(lj.__file__).parent
# Calls of the platform's own libraries, by what JAX makes them of; all others are refused.
ALLOWED = {
    "jnp.linalg.eigh": {"cusolver_syevd_ffi", "Eigh"},
    "jnp.linalg.solve": {
        "cusolver_getrf_ffi", "cu_lu_pivots_to_permutation", "LuDecomposition",
        "cusolver_potrf_ffi",
    },
    "jnp.linalg.svd": {"cusolver_gesvdj_ffi"},
    "jnp.linalg.qr": {
        "cusolver_geqrf_ffi", "cusolver_orgqr_ffi", "Qr",
        "ProductOfElementaryHouseholderReflectors",
    },
}  # fmt: skip
PERMITTED = set().union(*ALLOWED.values())
F = jnp.float32
KEY = jax.random.key(0)
EYE = jnp.asarray(np.eye(2), F)
RISK = lj.PopulationRisk(EYE)
START = lj.starts.gaussian((2, 2), dtype=F)
X, Y = jnp.array([[1, 0], [0, 1], [1, 1]], F), jnp.array([1, -1, 0.5], F)
DATA = lj.EmpiricalRisk(X, Y)
MANY = jnp.asarray([np.eye(2), 2 * np.eye(2)], F)
OUTER, SIGNS = jnp.asarray(np.ones((2, 2)), F), jnp.array([1, -1, 1], F)
SMOOTH = lj.TwoLayer(EYE, EYE[:1], activation="tanh")
NETS = lj.starts.network(lj.TwoLayer, (2, 2, 1), bias=False, dtype=F)
SHALLOW = lj.TwoLayer(EYE, EYE[:1])
FIT = lj.Mlp([EYE, EYE[:1]])
LINEAR = lj.DeepLinear([EYE, EYE[:1]])
ADDED = lj.NeuronAugmented(DATA)
TRIPLE = lj.Augmented(SMOOTH, Y[:1], Y[:1], X[:1])
NORMALS = (1, -1, 1)
CLUSTERS = over.ClusteredData(OUTER, Y[:2], jnp.array([0, 1]), EYE, F(0.1), F(1))


def _restart(risk: lj.AbstractObjective, key: Any, **settings: Any) -> lj.Runs:
    return lj.restart(risk, START, 3, key=key, lanes=2, **settings)


def _with(**settings: Any) -> Callable[[], tuple[Any, ...]]:
    return lambda: (lambda risk, key: _restart(risk, key, **settings), RISK, KEY)


TABLE: dict[str, Callable[[], Any]] = {
    # objectives
    "PopulationRisk, relu": lambda: (RISK, EYE),
    "PopulationRisk, tanh": lambda: (lj.PopulationRisk(EYE, activation="tanh", order=4), EYE),
    "JointRisk": lambda: (lj.JointRisk(EYE), SHALLOW),
    "MonteCarloRisk": lambda: (lj.MonteCarloRisk(EYE, samples=X), EYE),
    "MonteCarloRisk, drawn": lambda: (lj.MonteCarloRisk(EYE, samples=4, key=KEY), EYE),
    "EmpiricalRisk": lambda: (DATA, SMOOTH),
    "EmpiricalRisk, cross-entropy": lambda: (
        lj.EmpiricalRisk(X, jnp.array([0, 1, 1]), criterion="cross_entropy"),
        lj.DeepLinear([EYE])),
    "NeuronAugmented": lambda: (ADDED, TRIPLE),
    "Frozen": lambda: (lj.freeze(DATA, SMOOTH, trainable=True), SMOOTH),
    "gradient": lambda: (lj.gradient, RISK, EYE),
    "hessian": lambda: (lj.hessian, RISK, EYE),
    "hessian of a network": lambda: (lj.hessian, DATA, SMOOTH),
    "objectives.base._hessian": lambda: lj.hessian(RISK, EYE),
    "EmpiricalRisk in chunks": lambda: (lj.EmpiricalRisk(X, Y, chunk=2), SMOOTH),
    "objectives.empirical._units": lambda: DATA.known(SMOOTH),
    # search
    "restart": _with(),
    "restart, no finish": _with(finish=False),
    "restart, levels": _with(levels=[0.1, 0.01]),
    "restart, both layers": lambda: (
        lambda risk, key: lj.restart(risk, NETS, 3, key=key, lanes=2),
        lj.JointRisk(EYE), KEY),
    "restart, optimizer": _with(optimizer=optax.sgd(0.1, momentum=0.9)),
    "restart, batches": _with(batches=lj.fresh_samples(RISK, 4)),
    "restart, followed": lambda: (
        lambda risk, point: lj.restart(risk, jax.tree.map(lambda x: x[None], point), 1),
        ADDED, TRIPLE),
    "trajectories": lambda: (
        lambda risk, key: lj.trajectories(risk, START, 2, key=key, steps=2), RISK, KEY),
    "first_entry": lambda: (first_entry, MANY),
    "search.initial_points._draw": lambda: _restart(RISK, KEY),
    # critical
    "critical_points": lambda: (
        lambda risk, starts: lj.critical_points(risk, starts, 2, lanes=2), RISK, MANY),
    "sensitivity": lambda: (
        lambda risk, W, dV: lj.sensitivity(risk, W, {"teacher": dV}), RISK, EYE, EYE),
    "sensitivity, Lanczos": lambda: (
        lambda risk, W, dV: lj.sensitivity(risk, W, {"teacher": dV}, steps=4),
        RISK, jnp.asarray(np.ones((1025, 2)), F), EYE),
    "critical.sensitivity._solve": lambda: lj.sensitivity(RISK, EYE, {"teacher": EYE}),
    "critical.slices._values": lambda: lj.slices.along(RISK, EYE, EYE, points=3),
    "extreme_eigenvalues": lambda: (
        lambda risk, W, key: lj.extreme_eigenvalues(risk, W, 1, key=key), RISK, EYE, KEY),
    "spectral_density": lambda: (
        lambda risk, W, key: lj.spectral_density(risk, W, points=4, key=key), RISK, EYE, KEY),
    "slices.line": lambda: (lambda *a: lj.slices.line(*a, points=3), RISK, EYE, 2 * EYE),
    "slices.plane": lambda: (lambda *a: lj.slices.plane(*a, points=3), RISK, EYE, 2 * EYE, 3 * EYE),
    "padding_matrix": lambda: (padding_matrix, RISK, EYE),
    "critical.ends._evaluate": lambda: lj.families(RISK, MANY),
    "critical.index._spectra": lambda: lj.indices(RISK, MANY),
    "critical.judgement._along": lambda: falls_to_global(
        RISK, MANY, [Attained(EYE, 1.0, 1.0, 1.0, 1.0)] * 2),
    "critical.judgement._raveled": lambda: judge(DATA, SMOOTH, 0.0, None),
    "critical.first_order._least": lambda: least_growth(RISK, EYE, jnp.array([True, False])),
    "critical.perturbations._lowest": lambda: lowest_nearby(RISK, EYE, radius=0.1, key=KEY),
    # symmetric
    "symmetric.search._descend": lambda: lj.fixed_points([1, 2], starts=2, key=KEY),
    # theory
    "theory.added_neurons.pgb._searched": lambda: added_neurons.unchanging(
        added_neurons.composed_risk(DATA, lambda net: net), SMOOTH, 2, epsilon=0.1, key=KEY),
    "theory.added_neurons.at_point._measure": lambda: added_neurons.check_augmented(ADDED, TRIPLE),
    "slopes_in_theta": lambda: (added_neurons.slopes_in_theta, ADDED, TRIPLE),
    "theory.basins.values._solve": lambda: basins.basin_values(
        X, Y, jnp.ones((2, 3, 2), bool), jnp.array([1, -1], F)),
    "theory.cells.solutions._solve": lambda: cells.cell_solutions(
        X, Y, jnp.ones((2, 3, 2), bool)),
    "theory.cells.sampling._draw": lambda: cells.sampled_cells(X, 4, key=KEY),
    "theory.cells.exact_descents._descend": lambda: cells.descend_exactly(
        np.asarray(X, float), np.asarray(Y, float), np.ones((2, 2)), np.ones((2, 2, 2))),
    "theory.cells.ways._along": lambda: cells.examine(
        np.asarray(X, float), np.asarray(Y, float), lj.TwoLayer(np.eye(2), np.ones((1, 2)))),
    "theory.deep_linear.classification._derivatives": lambda: deep_linear.classify_deep_linear(
        DATA, LINEAR),
    "theory.deep_linear.classification._hessian": lambda: deep_linear.classify_deep_linear(
        lambda M: jnp.sum(M**4), lj.DeepLinear([0 * EYE, 0 * EYE])),
    "theory.deep_linear.convex_criteria._second_order": lambda: deep_linear.classify_deep_linear(
        lj.EmpiricalRisk(OUTER, SIGNS[:2], criterion="logistic"),
        lj.DeepLinear([0 * EYE, EYE[:1]])),
    "theory.deep_linear.escape._values": lambda: deep_linear.escape_deep_linear(
        DATA, lj.DeepLinear([0 * EYE, 0 * EYE[:1]]), epsilon=0.1),
    "theory.parallel_weights.mixture._system": lambda: parallel_weights.mixture_system(
        Y, NORMALS),
    "theory.parallel_weights.mixture.minimum": lambda: parallel_weights.mixture_minimum(
        Y, NORMALS),
    "theory.parallel_weights.trapping._trapping": lambda: parallel_weights.trapping(
        Y, NORMALS),
    "theory.parallel_weights.sample_minima._solve": lambda: parallel_weights.sample_minimum(
        Y, Y, Y, NORMALS),
    "initial_weights": lambda: (lambda key: over.initial_weights(key, 2, 2, 2, dtype=F), KEY),
    "clustered_data": lambda: (lambda key: over.clustered_data(key, 2, 2, 2, dtype=F), KEY),
    "centre_labels": lambda: (over.centre_labels, CLUSTERS),
    "clustered_weights": lambda: (over.clustered_weights, CLUSTERS, MANY, OUTER),
    "zero_error_weights": lambda: (over.zero_error_weights, X[:2], Y[:2], MANY, OUTER),
    "realizable_data": lambda: (
        lambda key: over.realizable_data(key, 3, 2, 2, rank=1, dtype=F), KEY),
    "sphere_network": lambda: (lambda key: over.sphere_network(key, (2, 2, 1), dtype=F), KEY),
    "count_above_zero": lambda: (
        lambda key, x, y: over.count_above_zero(key, x, y, (2,), 4), KEY, X, Y),
    "singleton_data": lambda: (lambda key: over.singleton_data(key, 2, 1, dtype=F), KEY),
    "is_covering": lambda: (over.is_covering, MANY, OUTER),
    "singleton_basin_values": lambda: (over.singleton_basin_values, X[:2], Y[:2], MANY, OUTER),
    "ray": lambda: (over.ray, X, Y, FIT),
    "theory.overspecification.decreasing_path._evaluate": lambda: over.check_path(
        over.decreasing_path(X, X[:, 0], over.Segment(over.scale_output(FIT, 3.0), FIT)), 4),
    "theory.overspecification.orthants._minima": lambda: over.orthant_minima(
        over.relu_pair(0.1), 2),
    # studies
    "liu20, figure 4": lambda: (trapping_data._losses, lj.EmpiricalRisk(X[:, :1], Y), X),
    "liu20, figure 2": lambda: (two_samples._landscape, X, -1.0),
    "ss16, walked": lambda: (
        walked, FirstLayer(DATA), jax.vmap(lj.TwoLayer)(MANY, OUTER[:, None]),
        jnp.ones((2, 3, 2), bool), F(0.1), 2),
}  # fmt: skip
# Rows with float64 in their text, by the reason.
FLOAT64 = {
    "numbers of Python, rounded at once: here, or in JAX's svd, random.uniform and norm.pdf": {
        "theory.added_neurons.pgb._searched", "theory.basins.values._solve", "clustered_weights",
        "theory.cells.solutions._solve", "clustered_data", "realizable_data", "singleton_data",
        "spectral_density", "theory.parallel_weights.mixture._system",
        "theory.parallel_weights.mixture.minimum", "theory.parallel_weights.trapping._trapping",
    },
    "kinds at points are decided in float64": {
        "theory.cells.exact_descents._descend", "theory.cells.ways._along",
        "theory.deep_linear.classification._derivatives", "theory.deep_linear.escape._values",
        "theory.deep_linear.classification._hessian",
        "theory.deep_linear.convex_criteria._second_order",
    },
    "points for proofs are in float64": {"symmetric.search._descend"},
    "it has no array among its inputs": {"theory.overspecification.orthants._minima"},
}  # fmt: skip
# No row: traced for shapes alone, and a part of whatever calls it.
NOT_COMPILED = {"search.parameters._value", "objectives.quadrature._of_rows"}


@cache
def _jitted() -> dict[str, str]:
    """The functions of the package that are jitted where they are defined: names by paths."""
    found = {}
    for path in HOUSE.rglob("*.py"):
        module = ".".join(path.relative_to(HOUSE).with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for scope in (tree, *classes):
            for node in scope.body:
                marks = map(ast.unparse, getattr(node, "decorator_list", ()))
                if isinstance(node, ast.FunctionDef) and any("jit" in mark for mark in marks):
                    found[f"{module}.{node.name}"] = node.name
    return found


class _CapturedError(Exception):
    """Carries a call out of a public function."""


def _captured(path: str, call: Callable[[], Any]) -> tuple[Any, ...]:
    """Return a jitted function, and the arguments with which a public one calls it."""
    *parts, name = path.split(".")
    module = importlib.import_module(".".join(["landscape_jax", *parts]))
    function = getattr(module, name)

    def capture(*args: Any) -> None:
        raise _CapturedError(function, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, capture)
        with pytest.raises(_CapturedError) as caught:
            call()
    return caught.value.args


@cache
def lowered(name: str) -> str:
    """Return a row's program for both platforms, as text."""
    call = TABLE[name]
    function, *args = _captured(name, call) if name in _jitted() else call()
    arrays, rest = eqx.partition(args, eqx.is_array)

    def program(arrays: Any) -> Any:
        return eqx.filter(function(*eqx.combine(arrays, rest)), eqx.is_array)

    checks = [export.DisabledSafetyCheck.custom_call(call) for call in PERMITTED]
    whole = export.export(jax.jit(program), platforms=["cuda", "tpu"], disabled_checks=checks)
    return whole(arrays).mlir_module()


@pytest.mark.parametrize("name", TABLE)
def test_a_compiled_function_lowers_for_cuda_and_tpu(name):
    text = lowered(name)
    called = set(re.findall(r"custom_call @([\w.$]+)", text))
    assert called <= PERMITTED
    assert not re.search(r"callback|stablehlo\.(infeed|outfeed|send|recv)", text)
    may_be_double = any(name in rows for rows in FLOAT64.values())
    assert ("f64" in text) == may_be_double


@pytest.mark.parametrize("asked", [None, "progress", "callback"])
def test_a_program_calls_back_where_that_was_asked_for_alone(asked):
    settings = {} if asked is None else {asked: lambda *_: None}
    program = jax.make_jaxpr(lambda key: _restart(RISK, key, finish=False, **settings).value)(KEY)
    assert ("callback" in str(program)) == (asked is not None)


# The rows are lowered above.
def test_every_jitted_function_has_a_row():
    jitted = _jitted()
    names = Counter(jitted.values())
    inside = {name for row in TABLE for name in re.findall(r"func private @(\w+)\(", lowered(row))}
    without = {
        path
        for path, name in jitted.items()
        if path not in TABLE and (names[name] > 1 or name not in inside)
    }
    assert without == NOT_COMPILED

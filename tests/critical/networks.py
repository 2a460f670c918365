"""Networks and fixed second layers with their symmetry groups, written down by hand, at random."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import landscape_jax as lj
from landscape_jax.networks import activations, random_network
from landscape_jax.objectives.base import AbstractObjective
from tests.critical.groups import permutation_blocks, with_rotated_rest

Rng = np.random.Generator
Draw = Callable[[Rng, Any], Any]

# Per activation: by what a neuron's outgoing weights are multiplied where its incoming ones change
# their sign, and the degree.
ODD, EVEN = ("tanh", "erf", "linear", "t^3"), ("cosine", "quadratic", "abs")
FLIPS = dict.fromkeys(ODD, -1) | dict.fromkeys(EVEN, 1)
DEGREES = {"relu": 1, "leaky": 1, "abs": 1, "linear": 1, "quadratic": 2, "t^3": 3, "step": 0}


@dataclass(frozen=True)
class Case:
    """An objective, one point, and how to draw what an element of its group makes of the point."""

    objective: AbstractObjective
    point: Any
    element: Draw

    def orbit(self, count: int, rng: Rng) -> Any:
        """Stack the point and `count` others of its orbit."""
        others = [self.element(rng, self.point) for _ in range(count)]
        return stack([self.point, *others])


def later(build: Callable[..., Case]) -> Callable[..., Callable[[], Case]]:
    """Build a case once, when a test asks for it: collecting the tests compiles nothing."""
    return lambda *args, **options: cache(lambda: build(*args, **options))


def stack(points: list) -> Any:
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *points)


def changed(rng: Rng, point: Any, size: float) -> Any:
    """Add a random change of the relative norm `size` to each leaf."""

    def leaf(x):
        step = rng.standard_normal(np.shape(x))
        return x + size * np.linalg.norm(x) / np.linalg.norm(step) * step

    return jax.tree.map(leaf, point)


def signs_and_scales(rng: Rng, name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    signs = rng.choice([-1.0, 1.0], count) if name in FLIPS else np.ones(count)
    return signs, np.exp(rng.normal(size=count)) if name in DEGREES else np.ones(count)


def layer_element(rng: Rng, name: str, into: list, out: np.ndarray) -> tuple[list, np.ndarray]:
    """Permute, flip and rescale the neurons of one layer: rows of `into`, columns of `out`."""
    count = out.shape[1]
    order = rng.permutation(count)
    signs, c = signs_and_scales(rng, name, count)
    back = np.where(signs < 0, FLIPS.get(name, 1), 1) * c ** -DEGREES.get(name, 0)
    moved = [None if x is None else (x.T[..., order] * signs * c).T for x in into]
    return moved, out[:, order] * back


def two_layer(rng: Rng, net: Any) -> Any:
    name = net.activation.name
    (W1, b1), W2 = layer_element(rng, name, [net.W1, net.b1], net.W2)
    return eqx.tree_at(lambda n: (n.W1, n.b1, n.W2), net, (W1, b1, W2), is_leaf=lambda x: x is None)


def mlp(rng: Rng, net: Any) -> Any:
    weights, biases = list(net.weights), list(net.biases)
    for i in range(len(weights) - 1):
        into, weights[i + 1] = layer_element(
            rng, net.activation.name, [weights[i], biases[i]], weights[i + 1]
        )
        weights[i], biases[i] = into
    return eqx.tree_at(lambda n: (n.weights, n.biases), net, (tuple(weights), tuple(biases)))


def data(outputs: int) -> lj.EmpiricalRisk:
    x = jax.random.normal(jax.random.key(0), (9, 3))
    return lj.EmpiricalRisk(x, jnp.sin(x @ jnp.ones((3, outputs)) + jnp.arange(outputs)))


@later
def network(kind: type, name: str, sizes: tuple[int, ...], *, bias: bool = True) -> Case:
    activation = activations.monomial(3) if name == "t^3" else name
    net = random_network(kind, sizes, key=jax.random.key(1), activation=activation, bias=bias)
    rng = np.random.default_rng(7)
    # Biases are drawn as 0.
    net = jax.tree.map(lambda x: x + 0.3 * rng.standard_normal(x.shape), net)
    return Case(data(sizes[-1]), net, two_layer if kind is lj.TwoLayer else mlp)


def frozen(name: str, W2: np.ndarray, trained: Callable, element: Draw) -> Case:
    """Train some leaves of a network whose outgoing weights are given."""
    net = random_network(
        lj.TwoLayer, (3, W2.shape[1], len(W2)), key=jax.random.key(2), activation=name
    )
    assert isinstance(net, lj.TwoLayer)
    net = eqx.tree_at(lambda n: (n.b1, n.W2), net, (net.W1[:, 0] - 0.2, jnp.array(W2)))
    blank = jax.tree.map(lambda _: False, net)
    chosen = eqx.tree_at(trained, blank, replace_fn=lambda _: True)
    risk = lj.freeze(data(len(W2)), net, trainable=chosen)
    return Case(risk, risk.trainable, element)


def _classes(
    fixed: np.ndarray, name: str, *, up_to_sign: bool
) -> tuple[list, np.ndarray, np.ndarray]:
    """Return each row's class, and its sign and size against others of the class."""
    sizes = np.linalg.norm(fixed, axis=1)
    if not DEGREES.get(name, 0):
        sizes = np.where(sizes > 0, 1.0, 0)
    units = fixed / np.where(sizes > 0, sizes, 1)[:, None]
    first = np.array([row[np.flatnonzero(row)[0]] if row.any() else 1.0 for row in units])
    signs = np.where(up_to_sign & (first < 0), -1.0, 1.0)
    classes = [tuple(np.round(row, 9) + 0.0) for row in signs[:, None] * units]
    return classes, signs, np.where(sizes > 0, sizes, 1)


def _within(rng: Rng, classes: list) -> np.ndarray:
    """Draw a permutation that keeps classes."""
    order = np.arange(len(classes))
    for one in set(classes):
        members = [i for i, other in enumerate(classes) if other == one]
        order[members] = rng.permutation(members)
    return order


def incoming(name: str, out: np.ndarray) -> Draw:
    """Draw what leaves Σ outᵢ φ(wᵢ·x + bᵢ) unchanged for fixed `out`, on leaves (n, …)."""
    classes, signs, sizes = _classes(out, name, up_to_sign=FLIPS.get(name) == -1)

    def element(rng: Rng, point: Any) -> Any:
        order = _within(rng, classes)
        factor = signs * signs[order]
        if FLIPS.get(name) == 1:
            factor = factor * rng.choice([-1.0, 1.0], len(out))
        if DEGREES.get(name):
            factor = factor * (sizes[order] / sizes) ** (1 / DEGREES[name])
        if DEGREES.get(name) == 0:
            factor = factor * np.exp(rng.normal(size=len(out)))
        return jax.tree.map(lambda x: (np.asarray(x)[order].T * factor).T, point)

    return element


def outgoing(name: str, into: np.ndarray) -> Draw:
    """Draw what leaves Σ vᵢ φ(intoᵢ·(x, 1)) unchanged for fixed `into`, on leaves (…, n)."""
    classes, signs, sizes = _classes(into, name, up_to_sign=name in FLIPS)

    def element(rng: Rng, point: Any) -> Any:
        order = _within(rng, classes)
        flip = np.where(signs * signs[order] < 0, FLIPS.get(name, 1), 1)
        factor = flip * (sizes[order] / sizes) ** DEGREES.get(name, 0)
        return jax.tree.map(lambda x: np.asarray(x)[..., order] * factor, point)

    return element


@later
def _frozen_out(name: str, out: list[list[float]]) -> Case:
    W2 = np.array(out).T
    return frozen(name, W2, lambda n: (n.W1, n.b1), incoming(name, W2.T))


@later
def _frozen_in(name: str, rows: list[list[float]]) -> Case:
    """Train the outgoing weights alone, the incoming ones and the biases being given."""
    into = np.array(rows)
    net = lj.TwoLayer(into[:, :3], np.ones((2, len(into))), into[:, 3], activation=name)
    W2 = np.random.default_rng(3).standard_normal(net.W2.shape)
    net = eqx.tree_at(lambda n: n.W2, net, jnp.array(W2))
    chosen = eqx.tree_at(lambda n: n.W2, jax.tree.map(lambda _: False, net), True)
    risk = lj.freeze(data(2), net, trainable=chosen)
    return Case(risk, risk.trainable, outgoing(name, into))


def students(risk: Any, name: str, a: list[float]) -> Case:
    point = np.random.default_rng(4).standard_normal((len(a), 3))
    return Case(risk, point, incoming(name, np.array(a)[:, None]))


@later
def population(name: str, a: list[float], teacher: np.ndarray, b: list[float]) -> Case:
    risk = lj.PopulationRisk(
        jnp.array(teacher),
        teacher_weights=jnp.array(b),
        student_weights=jnp.array(a),
        activation=activations.monomial(3) if name == "t^3" else name,
    )
    return students(risk, name, a)


@later
def turned(
    name: str, a: list[float], teacher: np.ndarray, b: list[float], isometry: Callable[[Rng], Any]
) -> Case:
    """Compose the students' group with isometries that keep the teacher's function."""
    plain = population(name, a, teacher, b)()
    return Case(
        plain.objective, plain.point, lambda rng, W: plain.element(rng, W) @ isometry(rng).T
    )


@later
def monte_carlo(name: str, a: list[float]) -> Case:
    rng = np.random.default_rng(5)
    risk = lj.MonteCarloRisk(
        rng.standard_normal((2, 3)),
        student_weights=jnp.array(a),
        activation=name,
        samples=rng.standard_normal((20, 3)),
    )
    return students(risk, name, a)


_A = [1.0, 2.0, -1.0, -3.0, 1.0, 0.0]
_OUT = [[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [0.0, 0.0], [1.0, 2.0], [3.0, 1.0]]
_ROWS = [[1.0, 2, 0, 1], [2.0, 4, 0, 2], [-1.0, -2, 0, -1], [0.0, 0, 0, 0], [0.3, 1, -1, 2]]
_V = np.random.default_rng(6).standard_normal((2, 3))

LAYERED = {
    "tanh": network(lj.TwoLayer, "tanh", (3, 4, 1)),
    "tanh without biases, two outputs": network(lj.TwoLayer, "tanh", (3, 5, 2), bias=False),
    "relu": network(lj.TwoLayer, "relu", (3, 4, 2)),
    "abs": network(lj.TwoLayer, "abs", (3, 4, 2)),
    "quadratic": network(lj.TwoLayer, "quadratic", (3, 3, 1)),
    "cosine": network(lj.TwoLayer, "cosine", (3, 4, 2)),
    "cube": network(lj.TwoLayer, "t^3", (3, 3, 2)),
    "step": network(lj.TwoLayer, "step", (3, 4, 1)),
    "sigmoid": network(lj.Mlp, "sigmoid", (3, 4, 1)),
    "two hidden layers, tanh": network(lj.Mlp, "tanh", (3, 4, 4, 1)),
    "two hidden layers, relu": network(lj.Mlp, "relu", (3, 4, 3, 2)),
    "three hidden layers, abs": network(lj.Mlp, "abs", (3, 3, 4, 3, 1)),
    "two hidden layers, cosine": network(lj.Mlp, "cosine", (3, 4, 3, 1), bias=False),
}
FIXED = {
    "fixed out, relu": _frozen_out("relu", _OUT),
    "fixed out, tanh": _frozen_out("tanh", _OUT),
    "fixed out, quadratic": _frozen_out("quadratic", _OUT),
    "fixed out, cosine": _frozen_out("cosine", _OUT),
    "fixed in, relu": _frozen_in("relu", _ROWS),
    "fixed in, tanh": _frozen_in("tanh", _ROWS),
    "fixed in, quadratic": _frozen_in("quadratic", _ROWS),
    "samples, relu": monte_carlo("relu", _A),
    "samples, tanh": monte_carlo("tanh", _A),
    "samples, cosine": monte_carlo("cosine", _A),
}
POPULATION = {
    name: population(name, _A, _V, [1.0, -2.0]) for name in ("relu", "leaky", "step", *ODD, *EVEN)
} | {"no isometries": population("tanh", _A, np.vstack([_V, _V]), [1.0, -2.0, 1.0, 3.0])}


def _signed(*sizes: int) -> Callable[[Rng], np.ndarray]:
    """Draw permutations of blocks of coordinates with any signs."""
    return lambda rng: permutation_blocks(*sizes)(rng) * rng.choice([-1.0, 1.0], sum(sizes))


def _turn(rng: Rng) -> np.ndarray:
    """Draw an isometry that keeps the first axis."""
    return with_rotated_rest(lambda rng: np.eye(1), 2)(rng)


_B = [1.0, -1.0, 1.0]
_E = np.eye(3)
# The third is 2 long, of a mass like the others' where φ is homogeneous.
_LONG = np.diag([1.0, 1.0, 2.0])


def _swap(rng: Rng) -> np.ndarray:
    """Draw the identity or the exchange of the first and the third axis."""
    return np.eye(3)[:, [0, 1, 2] if rng.random() < 0.5 else [2, 1, 0]]


def _sign_last(draw: Callable[[Rng], np.ndarray]) -> Callable[[Rng], np.ndarray]:
    """Change the sign of all, and of the third axis, at random."""
    return lambda rng: rng.choice([-1, 1]) * draw(rng) * np.array([1, 1, rng.choice([-1, 1])])


def _with_weights(rng: Rng) -> np.ndarray:
    """Draw a permutation of the teachers (b, e) of weights b = ±1, (−1, e) read as (1, −e)."""
    return np.array(_B)[:, None] * permutation_blocks(3)(rng) * np.array(_B)


TURNED = {
    "relu": turned("relu", _A, _E, _B, _swap),
    "tanh, b of both signs": turned("tanh", _A, _E, _B, _with_weights),
    "erf, another length": turned("erf", _A, _LONG, [1.0, 1.0, 1.0], permutation_blocks(2, 1)),
    "cube, another length": turned("t^3", _A, _LONG, [1.0, 1.0, 0.125], permutation_blocks(3)),
    "abs": turned("abs", _A, _E, [1.0, 1.0, 1.0], _signed(3)),
    "abs, antiparallel": turned(
        "abs", _A, np.vstack([_E[:2], -_E[:1]]), [1.0, 2.0, 1.0], _signed(2, 1)
    ),
    "cosine": turned("cosine", _A, _E, [1.0, 1.0, -1.0], _signed(2, 1)),
    "cosine, dependent": turned(
        "cosine",
        _A,
        np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]]),
        [1.0, 1.0, 1.0],
        _sign_last(permutation_blocks(2, 1)),
    ),
    "quadratic": turned("quadratic", _A, _LONG, [4.0, 4.0, 1.0], _signed(3)),
    "linear": turned("linear", _A, _E[:1] * 3, [2.0], _turn),
    "step": turned("step", _A, _E, [1.0, 1.0, 1.0], permutation_blocks(3)),
    "leaky": turned("leaky", _A, _E, [1.0, 1.0, 2.0], permutation_blocks(2, 1)),
}

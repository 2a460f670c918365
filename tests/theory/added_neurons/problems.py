"""Small problems of the neuron-augmented objective, with and without local minima."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import landscape_jax as lj

CORNERS = jnp.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
XOR = jnp.array([1.0, -1.0, -1.0, 1.0])
SCATTERED = jax.random.normal(jax.random.key(5), (5, 2))
CURVED = jnp.sin(2 * SCATTERED[:, 0]) + SCATTERED[:, 1] ** 2
REPEATED = jnp.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
SOFT = jnp.array([[0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.9, 0.1]])

# Steps at which descent is stable on all of them, and ten times as fast as without momentum.
MOMENTUM = optax.sgd(0.05, momentum=0.9)


class Problem(NamedTuple):
    """An empirical risk, and starts of networks with added neurons for it."""

    risk: lj.EmpiricalRisk
    start: lj.starts.RandomAugmented

    @property
    def augmented(self) -> lj.NeuronAugmented:
        return lj.NeuronAugmented(self.risk)


def _problem(risk: lj.EmpiricalRisk, width: int, outputs: int = 1, activation="tanh") -> Problem:
    network = lj.starts.network(lj.TwoLayer, (2, width, outputs), activation=activation)
    return Problem(risk, lj.starts.augmented(network, outputs, 2, scale=0.3))


_LINEAR = lj.EmpiricalRisk(SCATTERED, SCATTERED @ jnp.array([[1.0, 2.0], [0.5, -1.0]]))
WITH_MINIMA = {
    "squared, tanh": _problem(lj.EmpiricalRisk(SCATTERED, CURVED), 8),
    "squared, relu": _problem(lj.EmpiricalRisk(CORNERS, XOR), 6, activation="relu"),
    "squared, repeats": _problem(lj.EmpiricalRisk(REPEATED, CURVED), 3),
    "squared, linear": Problem(
        _LINEAR,
        lj.starts.augmented(lj.starts.network(lj.DeepLinear, (2, 3, 2)), 2, 2, scale=0.3),
    ),
    "hinge^2": _problem(lj.EmpiricalRisk(CORNERS, XOR, criterion=lj.criteria.hinge(2)), 4),
    "hinge^3": _problem(lj.EmpiricalRisk(CORNERS, XOR, criterion=lj.criteria.hinge(3)), 4),
    "cross-entropy, soft labels": _problem(
        lj.EmpiricalRisk(CORNERS, SOFT, criterion="cross_entropy"), 4, 2
    ),
    "cross-entropy, repeats": _problem(
        lj.EmpiricalRisk(REPEATED, jnp.array([0, 1, 0, 1, 1]), criterion="cross_entropy"), 3, 2
    ),
}
WITHOUT_MINIMA = {
    "cross-entropy, classes": _problem(
        lj.EmpiricalRisk(CORNERS, jnp.array([0, 1, 1, 0]), criterion="cross_entropy"), 4, 2
    ),
    "cross-entropy, a class missing at a repeat": _problem(
        lj.EmpiricalRisk(REPEATED, jnp.array([0, 1, 2, 1, 0]), criterion="cross_entropy"), 3, 3
    ),
    "logistic": _problem(lj.EmpiricalRisk(CORNERS, XOR, criterion="logistic"), 4),
    "squared, too narrow": _problem(lj.EmpiricalRisk(SCATTERED, CURVED), 1),
}

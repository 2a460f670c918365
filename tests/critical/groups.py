"""Teachers with their symmetry groups, written down by hand: the elements W ↦ P W Qᵀ, at random."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from scipy.stats import ortho_group, special_ortho_group

from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.population import PopulationRisk

Rng = np.random.Generator


@dataclass(frozen=True)
class Case:
    """A risk, the shape of its points, and how to draw an isometry of its group."""

    risk: PopulationRisk
    neurons: int
    isometry: Callable[[Rng], np.ndarray]

    @property
    def dim(self) -> int:
        return self.risk.teacher.shape[1]

    @cached_property
    def symmetry(self) -> Symmetry:
        symmetry = self.risk.known(jnp.zeros((self.neurons, self.dim))).symmetry
        assert isinstance(symmetry, Symmetry)
        return symmetry

    def point(self, rng: Rng) -> np.ndarray:
        return rng.standard_normal((self.neurons, self.dim))

    def element(self, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
        """Draw the row permutation and the isometry of an element."""
        weights = self.risk.student_weights
        labels = np.ones(self.neurons) if weights is None else np.asarray(weights)
        rows = np.arange(self.neurons)
        for label in np.unique(labels):
            rows[labels == label] = rng.permutation(rows[labels == label])
        return rows, self.isometry(rng)

    def orbit(self, W: np.ndarray, count: int, rng: Rng) -> np.ndarray:
        elements = [self.element(rng) for _ in range(count)]
        return np.stack([W[rows] @ Q.T for rows, Q in elements])


def permutation_blocks(*sizes: int) -> Callable[[Rng], np.ndarray]:
    """Draw permutation matrices that keep consecutive blocks of coordinates."""

    def draw(rng: Rng) -> np.ndarray:
        starts = np.cumsum([0, *sizes[:-1]])
        order = [s + rng.permutation(size) for s, size in zip(starts, sizes, strict=True)]
        return np.eye(sum(sizes))[np.concatenate(order)]

    return draw


def conjugated(R: np.ndarray, draw: Callable[[Rng], np.ndarray]) -> Callable[[Rng], np.ndarray]:
    """Return RᵀQR for drawn Q: the group after rotating the teacher's rows by R."""
    return lambda rng: R.T @ draw(rng) @ R


def hexagon(rng: Rng) -> np.ndarray:
    """Draw one of the 12 isometries of a regular hexagon."""
    angle = rng.integers(6) * np.pi / 3
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return turn @ np.diag([1.0, rng.choice([-1.0, 1.0])])


def with_rotated_rest(draw: Callable[[Rng], np.ndarray], rest: int) -> Callable[[Rng], np.ndarray]:
    """Draw Q on the first coordinates and any isometry of the `rest`."""

    def both(rng: Rng) -> np.ndarray:
        Q = draw(rng)
        turn = ortho_group.rvs(rest, random_state=rng)
        zeros = np.zeros((len(Q), rest))
        return np.block([[Q, zeros], [zeros.T, turn]])

    return both


def _risk(teacher, b=None, a=None) -> PopulationRisk:
    def weights(x):
        return None if x is None else jnp.array(x)

    return PopulationRisk(
        jnp.array(teacher), teacher_weights=weights(b), student_weights=weights(a)
    )


_E = np.eye(4)
_TURN = np.asarray(special_ortho_group.rvs(5, random_state=3))
_ANGLES = np.pi / 2 + 2 * np.pi / 3 * np.arange(3)
_TRIANGLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_GENERIC = np.random.default_rng(5).standard_normal((4, 4))

CASES = {
    "orthonormal": Case(_risk(np.eye(6)), 7, permutation_blocks(6)),
    "repeated norms, rotated": Case(
        _risk(np.diag([1.0, 1, 2, 2, 3]) @ _TURN), 5, conjugated(_TURN, permutation_blocks(2, 2, 1))
    ),
    "generic": Case(_risk(_GENERIC), 4, lambda rng: np.eye(4)),
    "three at 120 degrees": Case(_risk(_TRIANGLE), 4, hexagon),
    "less than the whole space": Case(
        _risk(np.eye(6)[:3]), 5, with_rotated_rest(permutation_blocks(3), 3)
    ),
    "weights on both layers": Case(
        _risk(np.eye(5), b=[1.0, 1, -1, -1, 2], a=[1.0, 1, 1, -1, -1, 0.5]),
        6,
        permutation_blocks(2, 2, 1),
    ),
    "antiparallel, masses add": Case(
        _risk(np.stack([_E[0], -_E[0], _E[1], _E[2]])[:, :3]),
        4,
        lambda rng: np.diag([rng.choice([-1.0, 1.0]), 1, 1]) @ permutation_blocks(1, 2)(rng),
    ),
    "antiparallel, masses cancel": Case(
        _risk(np.stack([_E[0], -_E[0], _E[1]])[:, :3], b=[1.0, -1, 1]),
        4,
        lambda rng: np.diag([1.0, 1, rng.choice([-1.0, 1.0])]),
    ),
}

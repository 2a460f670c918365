"""Random teachers and students: n ≠ k, d ≥ k, weights of both signs."""

import jax.numpy as jnp
import numpy as np

import landscape_jax as lj

# Students, teachers, dimension: few, for each compiles programs of its own.
SIZES = [(1, 2, 3), (2, 5, 7), (5, 3, 3), (3, 4, 5)]


def random_problem(seed: int, dtype=np.float64):
    """Give W, V, a, b of one of a few sizes and the risk they make."""
    rng = np.random.default_rng(seed)
    n, k, d = SIZES[seed % len(SIZES)]
    scales = np.exp(rng.normal(size=(n + k, 1)))
    rows = (scales * rng.normal(size=(n + k, d))).astype(dtype)
    weights = (rng.choice([-1, 1], n + k) * np.exp(0.5 * rng.normal(size=n + k))).astype(dtype)
    W, V, a, b = rows[:n], rows[n:], weights[:n], weights[n:]
    risk = lj.PopulationRisk(jnp.asarray(V), teacher_weights=b, student_weights=a)
    return W, V, a, b, risk

"""The least squares of patterns of full rank: Cholesky of AᵀA − sI, many patterns side by side.

Arrays here have the patterns last, so that one instruction works on several of them; a column of A
is numbered by input first and neuron second.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

# So many patterns of 20 columns fill the fast part of a core's cache.
_SIDE_BY_SIDE = 64
# Columns that are eliminated by one loop, over the rows and columns that they can reach.
_BLOCK, _MOST_BLOCKS = 5, 4
# Steps of refinement, and the share of an error that one may leave.
_MOST_STEPS = 4
_SLOW = 0.1


class FullRank(NamedTuple):
    """Solutions, the leading axis the patterns, and where they hold.

    - `R`, `loss` and `smallest` as in `CellSolutions`, the last estimated.
    - `safe`: the rank is proven to be full and R has converged; elsewhere nothing is said.
    """

    R: Float[Array, "patterns neurons inputs"]
    loss: Float[Array, " patterns"]
    smallest: Float[Array, " patterns"]
    safe: Bool[Array, " patterns"]


class _Refining(NamedTuple):
    """R on its way, the share of its error that a step leaves, and the weakest direction."""

    steps: Array
    R: Array
    done: Array
    share: Array
    weak: Array


def shift(samples: int, columns: int, epsilon: float) -> float:
    """Give s / trace(AᵀA) such that a Cholesky factor of the rounded AᵀA − sI proves full rank.

    With u = ε/2, each entry of AᵀA is a sum of N products and has an error of at most
    N u (|A|ᵀ|A|)ᵢⱼ to first order, a matrix of norm at most N u trace(AᵀA).  Where all pivots are
    positive, LLᵀ is what was factored, up to (n + 1) u |L||L|ᵀ (Higham 2002, theorem 10.3), of norm
    at most (n + 1) u trace.  LLᵀ has no negative eigenvalue, so the least one of AᵀA is at least
    s − (N + n + 1) u trace.  s is twice what is subtracted, so at least s/2 is left:
    σ_min/σ_max ≥ √(s/2 trace) = √((N + n + 1) ε/2), far above `rank_tolerance`.

    Source: Rump 2006, Verification of positive definiteness.
    """
    return (samples + columns + 1) * epsilon


def solve_full_rank(
    x: Float[Array, "samples inputs"],
    y: Float[Array, " samples"],
    patterns: Bool[Array, "patterns samples neurons"],
) -> FullRank:
    """Solve the least squares of those patterns that have full rank, safely.

    The factor of AᵀA − sI (see `shift`) is off by a share q of about s/σ_min² in the weakest
    direction, and each step R ← R + (LLᵀ)⁻¹Aᵀ(y − AR), with the residual of A itself, leaves q
    times the error.  So the k-th correction is about qᵏ‖R‖; a pattern has converged where the next
    one would be below ε‖R‖, and it stops by itself, whatever is beside it.

    Source: LIU, eqs. 5–8; Björck 1996, section 2.9.3 (refinement with the residual of A).
    """
    count, samples, neurons = patterns.shape
    inputs = x.shape[1]
    beside = min(_SIDE_BY_SIDE, count)
    padded = jnp.pad(patterns, ((0, -count % beside), (0, 0), (0, 0)))
    blocks = padded.reshape(-1, beside, samples, neurons)
    found = jax.lax.map(lambda block: _solve(x, y, block), blocks)
    R, loss, smallest, safe = (
        jnp.moveaxis(a, -1, 1).reshape(-1, *a.shape[1:-1])[:count] for a in found
    )
    return FullRank(jnp.swapaxes(R.reshape(count, inputs, neurons), 1, 2), loss, smallest, safe)


def _solve(x: Array, y: Array, patterns: Array) -> tuple[Array, Array, Array, Array]:
    samples, inputs = x.shape
    on = jnp.transpose(patterns, (1, 2, 0)).astype(x.dtype)
    columns, epsilon = on.shape[1] * inputs, float(jnp.finfo(x.dtype).eps)
    labels = jnp.broadcast_to(y[:, None], (samples, len(patterns)))

    def errors(R: Array) -> Array:
        heights = (x @ R.reshape(inputs, -1)).reshape(on.shape)
        return labels - jnp.sum(on * heights, axis=1)

    def pull(e: Array) -> Array:
        return (x.T @ (on * e[:, None]).reshape(samples, -1)).reshape(columns, -1)

    G = _gram(x, on)
    drop = shift(samples, columns, epsilon) * jnp.einsum("iib->b", G)
    # A vector without symmetry finds the weakest direction on the way: two inverse iterations.
    probe = jnp.cos(1 + jnp.arange(columns, dtype=x.dtype) ** 2)
    sides = jnp.stack([pull(labels), jnp.broadcast_to(probe[:, None], G.shape[1:])], axis=1)
    shifted = G - jnp.eye(columns, dtype=x.dtype)[:, :, None] * drop
    L = _factor(jnp.concatenate([shifted, sides], axis=1))
    R, weak = jnp.moveaxis(_backward(L, L[:, columns:]), 1, 0)

    def more(state: _Refining) -> Array:
        # Where the factor is NaN, or leaves too much, no further step helps.
        return (state.steps < _MOST_STEPS) & jnp.any(~state.done & (state.share < _SLOW))

    def refine(state: _Refining) -> _Refining:
        weak = state.weak / _size(state.weak)
        step, weaker = jnp.moveaxis(
            _apply(L, jnp.stack([pull(errors(state.R)), weak], axis=1)), 1, 0
        )
        step = jnp.where(state.done, 0, step)
        R = state.R + step
        left = _size(step) / jnp.maximum(_size(R), jnp.finfo(x.dtype).tiny)
        share = jnp.where(state.steps > 0, state.share, left)
        return _Refining(state.steps + 1, R, state.done | (share * left <= epsilon), share, weaker)

    start = _Refining(jnp.asarray(0), R, jnp.zeros(len(patterns), bool), jnp.zeros_like(R[0]), weak)
    end = jax.lax.while_loop(more, refine, start)
    weakest = 1 / _size(end.weak) + drop
    smallest = jnp.sqrt(weakest / jnp.sqrt(jnp.sum(G * G, axis=(0, 1))))
    safe = end.done & (end.share < _SLOW)
    return end.R, jnp.mean(errors(end.R) ** 2, axis=0), smallest, safe


def _size(vectors: Array) -> Array:
    return jnp.sqrt(jnp.sum(vectors**2, axis=0))


def _gram(x: Array, on: Array) -> Array:
    """Give AᵀA, from the products of all pairs of inputs and of neurons."""
    samples, neurons, _ = on.shape
    a, b = np.triu_indices(x.shape[1])
    j, k = np.triu_indices(neurons)
    products = (x[:, a] * x[:, b]).T @ (on[:, j] * on[:, k]).reshape(samples, -1)
    of_inputs, of_neurons = np.zeros((x.shape[1],) * 2, int), np.zeros((neurons,) * 2, int)
    of_inputs[a, b] = of_inputs[b, a] = np.arange(len(a))
    of_neurons[j, k] = of_neurons[k, j] = np.arange(len(j))
    place = of_inputs[:, None, :, None] * len(j) + of_neurons[None, :, None, :]
    columns = neurons * x.shape[1]
    return products.reshape(len(a) * len(j), -1)[place.reshape(columns, columns)]


def _factor(G: Array) -> Array:
    """Give Lᵀ and L⁻¹ of the further columns: row p is column p of the factor; NaN where none is.

    Left of the diagonal the rows hold rounding, which nothing reads but multiplied by 0.
    """
    columns = len(G)
    L = jnp.zeros_like(G)
    block = max(_BLOCK, -(-columns // _MOST_BLOCKS))
    for low in range(0, columns, block):
        high = min(low + block, columns)

        def eliminate(k: Array, L: Array, low: int = low, high: int = high) -> Array:
            known = jax.lax.dynamic_index_in_dim(L[:high], k, 1, keepdims=False)
            row = jax.lax.dynamic_index_in_dim(G[:, low:], k, 0, keepdims=False)
            row = row - jnp.sum(L[:high, low:] * known[:, None], axis=0)
            pivot = jax.lax.dynamic_index_in_dim(row, k - low, 0)
            return jax.lax.dynamic_update_slice(L, (row / jnp.sqrt(pivot))[None], (k, low, 0))

        L = jax.lax.fori_loop(low, high, eliminate, L)
    return L


def _backward(L: Array, sides: Array) -> Array:
    """Solve Lᵀr = u for several u, (columns, sides, patterns)."""
    columns = len(L)

    def step(i: Array, r: Array) -> Array:
        p = columns - 1 - i
        row = jax.lax.dynamic_index_in_dim(L, p, 0, keepdims=False)[:columns]
        left = jax.lax.dynamic_index_in_dim(sides, p, 0, keepdims=False)
        left = left - jnp.sum(row[:, None] * r, axis=0)
        pivot = jax.lax.dynamic_index_in_dim(row, p, 0)
        return jax.lax.dynamic_update_index_in_dim(r, left / pivot, p, 0)

    return jax.lax.fori_loop(0, columns, step, jnp.zeros_like(sides))


def _apply(L: Array, sides: Array) -> Array:
    """Solve LLᵀr = s for several s, (columns, sides, patterns)."""
    columns = len(L)

    def step(p: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        u, left = state
        row = jax.lax.dynamic_index_in_dim(L, p, 0, keepdims=False)[:columns, None]
        here = jax.lax.dynamic_index_in_dim(left, p, 0, keepdims=False)
        here = here / jax.lax.dynamic_index_in_dim(row, p, 0, keepdims=False)
        return jax.lax.dynamic_update_index_in_dim(u, here, p, 0), left - row * here

    u, _ = jax.lax.fori_loop(0, columns, step, (jnp.zeros_like(sides), sides))
    return _backward(L, u)

"""The least loss of any prediction at each input, and whether it is attained."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from landscape_jax.networks import criteria

# Newton's method on a convex loss: its steps at most.
_STEPS = 200
# Damping relative to the largest curvature; the least keeps steps finite where it vanishes.
_FIRST, _LEAST, _MOST = 1e-3, 1e-14, 1e8
# A convex loss that falls below this is taken to be unbounded below.
_BOTTOM = -1e12
# An infimum is attained near a point where the curvature changes by less than this factor within
# two Newton steps: towards an infimum at infinity, as of e^{−q}, it changes by e².
_STEADY = 2.0


class LeastLoss(NamedTuple):
    """The infimum of the loss over all functions of the input, and what is known of it.

    - `value`: (1/N) Σⱼ inf_q Σ_{i: xᵢ = x̄ⱼ} ℓ(q, yᵢ); NaN where it is not known.
    - `attained`: whether some function attains it; `None` where that is not known.
    """

    value: float
    attained: bool | None


def least_loss(
    criterion: criteria.Criterion, y: np.ndarray, place: Int[np.ndarray, " samples"]
) -> LeastLoss:
    """Return the least mean loss where samples of one `place` have one prediction.

    It is in closed form for the named criteria, and by Newton's method for a user's criterion that
    is convex and twice differentiable, with real labels of as many entries as there are outputs.

    **Arguments:** `criterion`; `y`, the labels of N samples; `place`, the number of each sample's
    input, from 0.
    """
    count = np.bincount(place)
    if criterion == criteria.named("squared"):
        mean = _sums(y, place) / count[:, None]
        return LeastLoss(float(np.sum((y - mean[place]) ** 2)) / len(y), True)
    if criterion == criteria.named("cross_entropy"):
        # Classes that never occur do not show here: with one class alone, a second one is added, so
        # that its infimum counts as not attained.
        table = y if y.ndim == 2 else np.eye(max(2, y.max() + 1))[y]
        sums = _sums(table, place)
        return LeastLoss(_entropy(sums, count) / len(y), bool((sums > 0).all()))
    if criterion == criteria.named("logistic"):
        positive = _sums(y > 0, place)
        both = np.stack([positive, count[:, None] - positive], axis=-1)
        value = sum(_entropy(both[:, k], count) for k in range(y.shape[1]))
        return LeastLoss(value / len(y), bool((both > 0).all()))
    if isinstance(criterion.loss, criteria.Hinge):
        positive = _sums(y > 0, place)
        return LeastLoss(_hinge(criterion.loss.power, positive, count[:, None]) / len(y), True)
    if y.ndim != 2 and not np.issubdtype(y.dtype, np.floating):
        return LeastLoss(np.nan, None)
    return _by_newton(criterion, y, place)


def _sums(table: np.ndarray, place: np.ndarray) -> Float[np.ndarray, "inputs columns"]:
    """Sum the rows of each input."""
    total = np.zeros((place.max() + 1, table.shape[1]))
    np.add.at(total, place, table)
    return total


def _entropy(weights: np.ndarray, totals: np.ndarray) -> float:
    """Return −Σⱼₖ wⱼₖ log(wⱼₖ/totalⱼ)."""
    share = np.where(weights > 0, weights, 1) / np.where(weights > 0, totals[:, None], 1)
    return float(-np.sum(weights * np.log(share)))


def _hinge(power: float, positive: np.ndarray, total: np.ndarray) -> float:
    """Return Σ min_q Σᵢ max(0, 1 − yᵢq)^p: (1 + q)/(1 − q) = (n₊/n₋)^{1/(p−1)} where both occur."""
    negative = total - positive
    both = (positive > 0) & (negative > 0)
    ratio = (np.where(both, positive, 1) / np.where(both, negative, 1)) ** (1 / (power - 1))
    q = (ratio - 1) / (ratio + 1)
    return float(np.sum(both * (positive * (1 - q) ** power + negative * (1 + q) ** power)))


def _by_newton(criterion: criteria.Criterion, y: np.ndarray, place: np.ndarray) -> LeastLoss:
    """Minimise at all inputs at once by damped Newton steps, in float64.

    q ← q − (H + μI)⁻¹ g with μ → 0 while the loss falls.  The infimum is attained near where the
    curvature is positive and two Newton steps onward and back change it little: there the loss is
    as good as quadratic.
    """
    table = y.reshape(len(y), -1).astype(float)
    inputs, outputs = place.max() + 1, table.shape[1]

    with jax.enable_x64(True):
        labels = jnp.asarray(y, jnp.float64)
        places = jnp.asarray(place)

        def total(q: Array) -> Array:
            losses = jax.vmap(criterion.loss)(q[places], labels)
            return jax.ops.segment_sum(losses, places, inputs)

        def summed(q: Array) -> Array:
            return jnp.sum(total(q))

        @jax.jit
        def derivatives(q: Array) -> tuple[Array, Array, Array]:
            # Each prediction has its own loss, so one product a column gives all the blocks.
            columns = [
                jax.jvp(jax.grad(summed), (q,), (jnp.zeros_like(q).at[:, k].set(1),))[1]
                for k in range(outputs)
            ]
            return total(q), jax.grad(summed)(q), jnp.stack(columns, axis=-1)

        q = _sums(table, place) / np.bincount(place)[:, None]
        damping = np.full(inputs, _FIRST)
        value, gradient, H = map(np.asarray, derivatives(jnp.asarray(q)))
        for _ in range(_STEPS):
            size = np.linalg.norm(gradient, axis=1)
            live = (size > 0) & (value > _BOTTOM) & (damping < _MOST)
            live &= np.isfinite(H).all(axis=(1, 2))
            if not live.any():
                break
            largest = np.abs(np.einsum("jkk->jk", H)).max(axis=1)
            # Not by the curvature alone: where it vanishes, the gradient still bounds the step.
            shift = damping * np.maximum(largest, size)
            step = _damped_step(H, shift, -gradient)
            new = tuple(map(np.asarray, derivatives(jnp.asarray(q + step))))
            # Near a minimum values differ by rounding only, and a smaller gradient is progress.
            smaller = np.linalg.norm(new[1], axis=1) < size
            better = live & ((new[0] < value) | ((new[0] == value) & smaller))
            q, value = np.where(better[:, None], q + step, q), np.where(better, new[0], value)
            gradient = np.where(better[:, None], new[1], gradient)
            H = np.where(better[:, None, None], new[2], H)
            damping = np.where(better, np.maximum(damping / 30, _LEAST), 10 * damping)
        attained = _is_attained(
            gradient, H, lambda step: np.asarray(derivatives(jnp.asarray(q + step))[2])
        )
    bounded = (value > _BOTTOM).all()
    least = float(np.sum(value)) / len(y) if bounded else -np.inf
    return LeastLoss(least, (True if attained.all() else None) if bounded else False)


def _damped_step(H: np.ndarray, shift: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve (H + shift I) s = right for each input; the least solution where it is singular."""
    matrices = H + shift[:, None, None] * np.eye(right.shape[1])
    return np.einsum("jkl,jl->jk", np.linalg.pinv(matrices, hermitian=True), right)


def _is_attained(
    gradient: np.ndarray, H: np.ndarray, hessian_at: Callable[[np.ndarray], np.ndarray]
) -> Bool[np.ndarray, " inputs"]:
    """Check at each input whether a zero of the gradient is nearby, by the change of the Hessian.

    That the gradient is 0 in floats is no evidence: so is that of log(1 + e^{−q}) at q = 800.
    """
    finite = np.isfinite(H).all(axis=(1, 2))
    safe = np.where(np.expand_dims(finite, (1, 2)), H, np.eye(gradient.shape[1]))
    low = np.linalg.eigvalsh(safe)
    positive = finite & (low[:, 0] > 0)
    step = np.where(positive[:, None], _damped_step(safe, np.zeros(len(H)), -gradient), 0)
    steady = positive
    for share in (2.0, -2.0):
        there = hessian_at(share * step)
        good = np.isfinite(there).all(axis=(1, 2))
        usable = np.nan_to_num(there, nan=0.0, posinf=0.0, neginf=0.0)
        eigenvalues = np.linalg.eigvalsh(usable)
        above = eigenvalues[:, 0] > low[:, 0] / _STEADY
        steady = steady & good & above & (eigenvalues[:, -1] < low[:, -1] * _STEADY)
    return np.asarray(steady)

"""The kind of one end by its spectrum, a nearby point of the infimum, and its zero neurons."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, PyTree

from landscape_jax.critical.classify import Kind, classify
from landscape_jax.critical.first_order import least_growth, without
from landscape_jax.critical.rescaling import balance
from landscape_jax.critical.spectra import is_relu_risk, reduced, spectrum
from landscape_jax.objectives.base import AbstractObjective, Known, hessian
from landscape_jax.objectives.hidden_neurons import HiddenNeurons
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.objectives.protocols import Attained, balanced, nearest_minimizer, smooth_radius
from landscape_jax.proofs.estimates import float_gradient

# F is evaluated at this many points of the line to a global minimum, half of them close to its
# beginning, where the basin of a minimum would be.
_POINTS, _NEAREST = 64, 1e-4
# Directional derivatives below this many eps are rounding.
_FIRST_ORDER = 1e4


class Judgement(NamedTuple):
    """The kind of a point, and the eigenvalues of the Hessian there, NaN where it has none."""

    kind: Kind
    spectrum: Float[np.ndarray, " parameters"]


def judge(
    objective: AbstractObjective, params: PyTree, value: float, tolerance: float | None
) -> Judgement:
    """Determine the kind of a critical point, see `classify`, in balanced coordinates.

    Where hidden neurons can be rescaled, F is constant in these directions, and the kind is that on
    their complement.  Where neurons of a population risk are zero, there is no Hessian: the kind is
    that of the point without them, unless growing one lowers the risk, see `least_growth`; then it
    is "saddle".

    **Arguments:** the objective; the point and F there; `tolerance` of eigenvalues, or `None`.
    """
    shown = spectrum(objective, params)
    even, point = balanced(objective, params)
    if isinstance(even, PopulationRisk) and np.asarray(even.kinks(point)).any():
        return Judgement(_kind_at_kink(even, point, value, tolerance), shown)
    known, attained = even.known(point), nearest_minimizer(even, point)
    length = _length(even, point)
    layers = _layers(known)
    if layers and np.isfinite(shown).all():
        layout = balance(layers, point)
        inner = np.linalg.eigvalsh(layout.hessian(np.asarray(hessian(even, point))))
        norm = float(np.linalg.norm(_gradient(even, point) / layout.scale))
    else:
        inner = shown if even is objective else spectrum(even, point)
        norm = float(np.linalg.norm(_gradient(even, point)))
    kind = classify(
        known, value, inner, norm, length=length, attained=attained, tolerance=tolerance
    )
    return Judgement(kind, shown)


def _kind_at_kink(
    risk: PopulationRisk, W: jax.Array, value: float, tolerance: float | None
) -> Kind:
    """Determine the kind of a point with zero neurons by a first-order test of these."""
    zero = jnp.asarray(risk.kinks(W))
    known, attained = risk.known(W), nearest_minimizer(risk, W)
    eps = float(jnp.finfo(W.dtype).eps)
    rest, others = without(risk, W, zero)
    inner, norm, length = np.full(1, np.inf, np.asarray(W).dtype), 0.0, 1.0
    if len(others):
        inner, norm = spectrum(rest, others), float(np.linalg.norm(_gradient(rest, others)))
        length = _length(rest, others)
    else:
        tolerance = 0.0  # There is no eigenvalue that could be negative.
    kind = classify(
        known, value, inner, norm, length=length, attained=attained, tolerance=tolerance
    )
    if kind in ("saddle", "global", "undecided"):
        return kind
    growth = least_growth(risk, W, zero)
    scale = float(known.units.value) ** 0.5
    # Beside rounding: the critical point nearby is up to ‖∇F‖/λ away, and ψ moves with the neurons.
    noise = _FIRST_ORDER * eps * scale + len(W) * norm / float(inner[0])
    return kind if growth > noise else "saddle" if growth < -noise else "undecided"


def falls_to_global(
    objective: AbstractObjective, params: PyTree, attained: list[Attained | None]
) -> np.ndarray:
    """Check for many points whether F never rises on the straight line to one of least value.

    F is computed at 64 points of each line, half of them close to its beginning; a rise within
    rounding does not count.

    **Arguments:** `params`, with a leading axis; `attained`, the point exhibited near each.
    """
    shown = {place: near for place, near in enumerate(attained) if near is not None}
    falls = np.zeros(len(attained), bool)
    if not shown:
        return falls
    known = list(shown)
    points = [near.point for near in shown.values()]
    # NumPy's, as JAX would compile a program of a thousand operands.
    ends = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *points)
    starts = jax.tree.map(lambda leaf: jnp.asarray(leaf[np.array(known)]), params)
    values = np.asarray(_along(objective, starts, ends), np.float64)
    eps = float(np.finfo(jnp.result_type(*jax.tree.leaves(starts))).eps)
    terms = np.array([near.terms for near in shown.values()])
    falls[known] = (np.diff(values, axis=1) <= 4 * eps * terms[:, None]).all(axis=1)
    return falls


@eqx.filter_jit
def _along(objective: AbstractObjective, starts: PyTree, ends: PyTree) -> jax.Array:
    """Compute F at the points of each line."""
    half = _POINTS // 2
    near = np.geomspace(_NEAREST, 1 / half, half - 1, endpoint=False)
    places = np.concatenate([[0.0], near, np.linspace(1 / half, 1, _POINTS - half)])
    steps = jnp.asarray(places, jnp.result_type(*jax.tree.leaves(starts)))

    def line(pair: tuple[PyTree, PyTree]) -> jax.Array:
        def at(t: jax.Array) -> jax.Array:
            return objective(jax.tree.map(lambda x, y: (x + t * (y - x)).astype(x.dtype), *pair))

        return jax.lax.map(at, steps, batch_size=_POINTS)

    return jax.lax.map(line, (starts, ends), batch_size=16)


@eqx.filter_jit
def _raveled(objective: AbstractObjective, params: PyTree) -> jax.Array:
    return ravel_pytree(jax.grad(lambda p: objective(p))(params))[0]


def _gradient(objective: AbstractObjective, params: PyTree) -> Float[np.ndarray, " parameters"]:
    if is_relu_risk(objective):
        inside = reduced(objective, np.asarray(params))
        return float_gradient(inside.problem, inside.point).ravel()
    return np.asarray(_raveled(objective, params), np.float64)


def _layers(known: Known) -> tuple[HiddenNeurons, ...]:
    """Return the hidden layers whose neurons can be rescaled, where they are declared."""
    declared = known.symmetry if isinstance(known.symmetry, tuple) else (known.symmetry,)
    layers = tuple(layer for layer in declared if isinstance(layer, HiddenNeurons))
    return layers if any(jax.tree.leaves(layer.powers) for layer in layers) else ()


def _length(objective: AbstractObjective, params: PyTree) -> float:
    """Return the length on which the Hessian may change by its own size."""
    known: Known = objective.known(params)
    return min(float(known.units.length), float(smooth_radius(objective, params)))

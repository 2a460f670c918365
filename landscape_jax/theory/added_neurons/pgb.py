"""The perturbable-gradient-basis condition: what every local minimum of a composed loss passes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar

from landscape_jax.objectives import AbstractObjective, Augmented, EmpiricalRisk, NeuronAugmented
from landscape_jax.theory.added_neurons.convex import minimise

Rows = Float[Array, "samples outputs"]
Terms = Float[Array, "samples terms"]


class Composed(AbstractObjective):
    """An objective of the form of theorem 3: convex functions of differentiable outputs.

    Q(z) = (1/m) Σᵢ Qᵢ(φᵢ(z)) + Rᵢ(ϕᵢ(z)), with φᵢ = Σₖ hₖ ∂ₖφᵢ and ϕᵢ = ρ Σₖ hₖ ∂ₖϕᵢ.

    **Arguments:**

    - `outputs`: z ↦ φ(z), (m, outputs), one sample a row.
    - `losses`: the (m,) numbers Qᵢ(qᵢ) of predictions (m, outputs).
    - `scaling`: z ↦ h(z), like z.
    - `regularised`: z ↦ ϕ(z), (m, terms); none where left out.
    - `penalties`: the (m,) numbers Rᵢ(rᵢ) of such terms.
    - `degree`: ρ ≠ 0.

    That Qᵢ and Rᵢ are convex is taken from you, and looked at on one segment by `pgb_test`.

    Source: KK20, eq. 1.
    """

    outputs: Callable[[Any], Rows]
    losses: Callable[[Rows], Float[Array, " samples"]]
    scaling: Callable[[Any], Any]
    regularised: Callable[[Any], Terms] | None = None
    penalties: Callable[[Terms], Float[Array, " samples"]] | None = None
    degree: float | int = 1

    def __check_init__(self):
        if not (np.isfinite(self.degree) and self.degree != 0):
            raise ValueError(f"degree is {self.degree}; it must be a number other than 0")
        if (self.regularised is None) != (self.penalties is None):
            raise ValueError("give both of regularised and penalties, or none of them")

    def __call__(self, params: PyTree) -> Scalar:
        """Give Q."""
        return self.of_outputs(*self.both(params))

    def both(self, params: PyTree) -> tuple[Rows, Terms]:
        """Give φ and ϕ."""
        q = self.outputs(params)
        return q, jnp.zeros((len(q), 0), q.dtype) if self.regularised is None else (
            self.regularised(params)
        )

    def of_outputs(self, q: Rows, r: Terms) -> Scalar:
        """Give (1/m) Σᵢ Qᵢ(qᵢ) + Rᵢ(rᵢ)."""
        return jnp.mean(self.losses(q) + (0 if self.penalties is None else self.penalties(r)))


def composed_risk(
    risk: EmpiricalRisk, scaling: Callable[[Any], Any], network: Callable[[Any], Any] | None = None
) -> Composed:
    """Write an empirical risk in the form of theorem 3, without regulariser.

    **Arguments:** `scaling`, h: for a network whose last layer is linear, that layer's own weights
    and biases, and zeros for all others; `network`, the network of the parameters, themselves where
    left out.

    ```python
    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> def last_layer(net):
    ...     return eqx.tree_at(lambda n: n.weights[0], net, jnp.zeros_like(net.weights[0]))
    >>> risk = lj.EmpiricalRisk(jnp.ones((1, 1)), jnp.ones(1))
    >>> net = lj.DeepLinear([jnp.ones((1, 1)), jnp.full((1, 1), 3.0)])
    >>> float(composed_risk(risk, last_layer)(net))
    4.0

    ```
    """

    def outputs(params: PyTree) -> Rows:
        return (params if network is None else network(params))(risk.x)

    return Composed(outputs, _losses(risk), scaling)


def _losses(risk: EmpiricalRisk) -> Callable[[Rows], Array]:
    return lambda q: jax.vmap(risk.criterion.loss)(q, risk.y)


def composed_added(objective: NeuronAugmented, network: PyTree) -> Composed:
    """Write L̃|θ, of the added neurons at a fixed network, in the form of theorem 3.

    φᵢ = a ∘ exp(wxᵢ + b), ϕᵢ = (a₁², …), Rᵢ(r) = λ Σ r, h = (a, 0, 0), ρ = ½.  (This R is not
    nonnegative, as the theorem asks; its proof does not use that.)

    **Returns:** a `Composed`; call it with an `Augmented` whose own network is `None`.

    Source: KK20, section 4.
    """
    risk = objective.risk
    q = network(risk.x)

    def regularised(params: Augmented) -> Terms:
        return jnp.broadcast_to(params.a**2, q.shape)

    return Composed(
        outputs=lambda params: params.added(risk.x),
        losses=lambda added: _losses(risk)(q + added),
        scaling=lambda p: Augmented(None, p.a, jnp.zeros_like(p.b), jnp.zeros_like(p.w)),
        regularised=regularised,
        penalties=lambda r: objective.penalty * jnp.sum(r, axis=1),
        degree=0.5,
    )


class PgbTest(NamedTuple):
    """What the condition says of a point.

    - `value`: Q(z); `gradient_norm`: ‖∇Q(z)‖.
    - `infimum`: of Q̃ over α, −∞ where it falls without bound: a value that Q̃ takes, and so an
      upper bound of its infimum, off by at most `slope` times the distance (of outputs).
    - `correction`: ((ρ − 1)/(ρm)) Σ ∂Rᵢ(ϕᵢ) ϕᵢ.
    - `rank`: the dimension of the span of the gradients.
    - `epsilon`, `tolerance`: as given.
    """

    value: float
    gradient_norm: float
    infimum: float
    correction: float
    slope: float
    rank: int
    epsilon: float
    tolerance: float

    @property
    def gap(self) -> float:
        """Q(z) less its bound: above 0, the point is refuted."""
        return self.value - self.infimum - self.correction

    @property
    def refuted(self) -> bool:
        """Whether z is no minimum of Q over any ball of a radius above ε."""
        return self.gap > self.tolerance * (1 + abs(self.value))


def pgb_test(
    objective: Composed,
    params: PyTree,
    *,
    epsilon: float | int,
    directions: PyTree,
    tolerance: float = 1e-9,
    rank_tolerance: float = 1e-8,
) -> PgbTest:
    """Compare Q(z) with the least value on the span of the gradients at perturbed points.

    If z minimises Q over a ball of a radius above ε, then for all directions Sⱼ that leave the
    outputs as they are, ‖Sⱼ‖ ≤ 1, φ(z + εSⱼ) = φ(z), ϕ(z + εSⱼ) = ϕ(z),

    Q(z) ≤ inf_α (1/m) Σᵢ Qᵢ(Σ αₖⱼ ∂ₖφᵢ(z + εSⱼ)) + Rᵢ(Σ αₖⱼ ∂ₖϕᵢ(z + εSⱼ))
           + ((ρ − 1)/(ρm)) Σᵢ ∂Rᵢ(ϕᵢ(z)) ϕᵢ(z).

    Proof: every z + εSⱼ is then a local minimum, so the gradient vanishes there, and with the
    convexity of Qᵢ and Rᵢ at the outputs, which are those at z, the bound follows; the homogeneity
    is used at z alone.  So a refutation holds for balls larger than ε.  It says "no local minimum"
    if it persists as ε falls: where Q is constant on a small ball and falls outside, a large ε
    refutes, rightly by this statement, a point that is a local minimum.

    The span is that of the singular vectors of the gradients' matrix above `rank_tolerance` times
    its norm: what is below could be rounding, and would refute minima.  The least value is found
    by Newton's method in an orthonormal basis of the span; for the squared loss that is least
    squares.

    **Arguments:**

    - `objective`: a `Composed`; `params`: z.
    - `epsilon`: ε > 0; `directions`: S, like z with a leading axis; see `unchanging`.
    - `tolerance`: how far, times 1 + |Q(z)|, the inequality may fail before z is refuted.  At a z
      where the gradient is only small it may fail a little: finish z first.
    - `rank_tolerance`: see above.

    **Returns:** a `PgbTest`.

    **Raises:** `ValueError` where a condition does not hold: ε > 0, directions of length at most 1
    that leave the outputs unchanged, homogeneity, convexity (on one segment).

    Source: KK20, theorem 3.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.EmpiricalRisk(jnp.array([[1.0], [2.0]]), jnp.array([1.0, 2.0]))
    >>> saddle = lj.DeepLinear([jnp.zeros((1, 1)), jnp.zeros((1, 1))])
    >>> last = lambda net: lj.DeepLinear([jnp.zeros((1, 1)), net.weights[1]])
    >>> aside = lj.DeepLinear([jnp.ones((1, 1)), jnp.zeros((1, 1))])  # changes the first layer only
    >>> one = jax.tree.map(lambda w: w[None], aside)
    >>> test = pgb_test(composed_risk(risk, last), saddle, epsilon=0.1, directions=one)
    >>> test.gradient_norm, test.value, round(abs(test.infimum), 6), test.refuted
    (0.0, 2.5, 0.0, True)

    ```
    """
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon is {epsilon}; it must be a positive number")
    z, unravel = ravel_pytree(params)
    steps = jax.vmap(lambda s: ravel_pytree(s)[0])(directions)
    if steps.shape[1:] != z.shape:
        raise ValueError(f"directions have {steps.shape[1]} entries each; z has {len(z)}")

    def stacked(x: Array) -> Array:
        return jnp.concatenate(objective.both(unravel(x)), axis=1)

    outputs, near = stacked(z), jax.lax.map(stacked, z + epsilon * steps)
    slopes = jax.lax.map(jax.jacfwd(stacked), z + epsilon * steps)
    _check_directions(steps, outputs, near)
    _check_homogeneous(objective, params)
    width = objective.outputs(params).shape[1]

    def of_stacked(o: Array) -> Array:
        o = o.reshape(outputs.shape)
        return objective.of_outputs(o[:, :width], o[:, width:])

    matrix = jnp.moveaxis(slopes.reshape(len(steps), outputs.size, len(z)), 0, 1)
    left, singular, _ = np.linalg.svd(
        np.asarray(matrix).reshape(outputs.size, -1), full_matrices=False
    )
    rank = int((singular > rank_tolerance * singular.max(initial=0.0)).sum())
    basis = jnp.asarray(left[:, :rank])
    found = minimise(lambda c: of_stacked(basis @ c), basis.T @ outputs.reshape(-1))
    _check_convex(of_stacked, outputs.reshape(-1), basis @ found.point)
    penal = 0.0
    if objective.penalties is not None:
        terms = outputs[:, width:]
        slope = jax.grad(lambda r: jnp.sum(objective.penalties(r)))(terms)  # pyright: ignore
        penal = float(jnp.sum(slope * terms)) / len(outputs)
    value, gradient = jax.value_and_grad(lambda x: objective(unravel(x)))(z)
    return PgbTest(
        value=float(value),
        gradient_norm=float(jnp.linalg.norm(gradient)),
        infimum=found.value,
        correction=(objective.degree - 1) / objective.degree * penal,
        slope=found.slope,
        rank=rank,
        epsilon=float(epsilon),
        tolerance=tolerance,
    )


def unchanging(
    objective: Composed, params: PyTree, count: int, *, epsilon: float | int, key: Key[Array, ""]
) -> PyTree:
    """Find directions v, ‖v‖ ≤ 1, along which the outputs at z + εv are those at z.

    From random v, by Gauss–Newton on φ(z + εv) = φ(z), ϕ(z + εv) = ϕ(z).

    **Arguments:** `count`, how many are tried; `epsilon`; `key`.

    **Returns:** those found, like z with a leading axis, of at most `count` entries, maybe none.

    Source: KK20, theorem 3: 𝒱[z, ε].
    """
    z, unravel = ravel_pytree(params)
    keys, far = jax.random.split(key, count), jnp.asarray(epsilon, z.dtype)
    found, left = _searched(objective, params, keys, far)
    kept = (left <= _rounding(objective.both(params))) & (jnp.linalg.norm(found, axis=1) <= 1)
    return jax.vmap(unravel)(found[np.asarray(kept)])


@eqx.filter_jit
def _searched(
    objective: Composed, params: PyTree, keys: Key[Array, " count"], epsilon: Scalar
) -> tuple[Float[Array, "count size"], Float[Array, " count"]]:
    """Search directions for `unchanging`; give each, and the most that an output moves."""
    z, unravel = ravel_pytree(params)

    def change(v: Array) -> Array:
        near, here = objective.both(unravel(z + epsilon * v)), objective.both(unravel(z))
        return jnp.concatenate([(n - h).reshape(-1) for n, h in zip(near, here, strict=True)])

    def find(key: Array) -> tuple[Array, Array]:
        v = jax.random.normal(key, z.shape, z.dtype)
        v /= 2 * jnp.linalg.norm(v)
        # First along what changes the outputs most: else a exp(b) = 0 would be solved by b → −∞.
        for least in (1e-2, 1e-10):

            def improve(_: Array, v: Array, least: float = least) -> Array:
                return v - jnp.linalg.lstsq(jax.jacfwd(change)(v), change(v), rcond=least)[0]

            v = jax.lax.fori_loop(0, 30, improve, v)
        return v, jnp.abs(change(v)).max()

    return jax.vmap(find)(keys)


def _rounding(outputs: tuple[Array, Array]) -> float:
    size = max(float(jnp.abs(o).max(initial=0.0)) for o in outputs)
    return 1e3 * float(jnp.finfo(outputs[0].dtype).eps) * (1 + size)


def _check_directions(steps: Array, outputs: Array, near: Array) -> None:
    longest = float(jnp.linalg.norm(steps, axis=1).max(initial=0.0))
    if not longest <= 1 + 1e-9:
        raise ValueError(f"a direction has length {longest:.6g}; they must be at most 1")
    moved = float(jnp.abs(near - outputs).max(initial=0.0))
    if not moved <= _rounding((outputs, outputs)):
        raise ValueError(
            f"outputs move by {moved:.3g} along a direction; they must stay (see `unchanging`)"
        )


def _check_homogeneous(objective: Composed, params: PyTree) -> None:
    (q, r), (dq, dr) = jax.jvp(objective.both, (params,), (objective.scaling(params),))
    bound = 1e3 * float(jnp.finfo(q.dtype).eps)
    for name, is_, should in (("φ", q, dq), ("ϕ", r, objective.degree * dr)):
        off = float(jnp.abs(is_ - should).max(initial=0.0))
        if not off <= bound * (1 + float(jnp.abs(is_).max(initial=0.0))):
            sum_ = f"Σ hₖ ∂ₖ{name}" if name == "φ" else f"ρ Σ hₖ ∂ₖ{name}"
            raise ValueError(f"{name} differs by {off:.3g} from {sum_}; give the h and ρ it has")


def _check_convex(function: Callable[[Array], Array], one: Array, two: Array) -> None:
    ends = [float(function(one)), float(function(two))]
    middle, size = float(function((one + two) / 2)), 1 + sum(map(abs, ends))
    if middle > sum(ends) / 2 + 1e3 * float(jnp.finfo(one.dtype).eps) * size:
        raise ValueError(
            f"the losses are not convex: {middle:.6g} half-way between outputs of loss "
            f"{ends[0]:.6g} and {ends[1]:.6g}"
        )

"""The perturbable-gradient-basis (PGB) condition: necessary at local minima of composed losses."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Key, PyTree, Scalar
from scipy.optimize import OptimizeResult, minimize

from landscape_jax.mistakes import explained
from landscape_jax.objectives import AbstractObjective, Augmented, EmpiricalRisk, NeuronAugmented

_Rows = Float[Array, "samples outputs"]
_Terms = Float[Array, "samples terms"]
# Below this a convex function is taken to be unbounded.
_BOTTOM = -1e12


class Composed(AbstractObjective):
    """An objective of the form of theorem 3: convex functions of differentiable outputs.

    Q(z) = (1/m) Σᵢ Qᵢ(φᵢ(z)) + Rᵢ(ϕᵢ(z)), with φᵢ = Σₖ hₖ ∂ₖφᵢ and ϕᵢ = ρ Σₖ hₖ ∂ₖϕᵢ.

    **Arguments:**

    - `outputs`: z ↦ φ(z), (m, outputs), one sample a row.
    - `losses`: the (m,) numbers Qᵢ(qᵢ) of predictions (m, outputs).
    - `scaling`: z ↦ h(z), like z.
    - `regularised`: z ↦ ϕ(z), (m, terms); no regulariser if omitted.
    - `penalties`: the (m,) numbers Rᵢ(rᵢ) of such terms.
    - `degree`: ρ ≠ 0.

    Qᵢ and Rᵢ must be convex, which `pgb_test` checks on one segment only.

    Source: KK20, eq. 1.
    """

    outputs: Callable[[Any], _Rows]
    losses: Callable[[_Rows], Float[Array, " samples"]]
    scaling: Callable[[Any], Any]
    regularised: Callable[[Any], _Terms] | None = None
    penalties: Callable[[_Terms], Float[Array, " samples"]] | None = None
    degree: float | int = 1

    def __check_init__(self):
        if not (np.isfinite(self.degree) and self.degree != 0):
            raise ValueError(f"degree is {self.degree}; it must be a number other than 0")
        if (self.regularised is None) != (self.penalties is None):
            raise ValueError("give both regularised and penalties, or neither")

    def __call__(self, params: PyTree) -> Scalar:
        """Return Q(z)."""
        return self.of_outputs(*self.both(params))

    def both(self, params: PyTree) -> tuple[_Rows, _Terms]:
        """Return φ(z) and ϕ(z)."""
        q = self.outputs(params)
        return q, jnp.zeros((len(q), 0), q.dtype) if self.regularised is None else (
            self.regularised(params)
        )

    def of_outputs(self, q: _Rows, r: _Terms) -> Scalar:
        """Return (1/m) Σᵢ Qᵢ(qᵢ) + Rᵢ(rᵢ)."""
        return jnp.mean(self.losses(q) + (0 if self.penalties is None else self.penalties(r)))


@explained
def composed_risk(
    risk: EmpiricalRisk, scaling: Callable[[Any], Any], network: Callable[[Any], Any] | None = None
) -> Composed:
    """Return an empirical risk in the form of theorem 3, without a regulariser.

    **Arguments:** `scaling`, h: for a network whose last layer is linear, that layer's own weights
    and biases, and zeros for all others; `network`, the map from parameters to a network, the
    identity by default.

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

    def outputs(params: PyTree) -> _Rows:
        return risk.predictions(params if network is None else network(params))

    return Composed(outputs, _losses(risk), scaling)


def _losses(risk: EmpiricalRisk) -> Callable[[_Rows], Array]:
    return lambda q: jax.vmap(risk.criterion.loss)(q, risk.y)


@explained
def composed_added(objective: NeuronAugmented, network: PyTree) -> Composed:
    """Return L̃|θ, as a function of the added neurons, in the form of theorem 3.

    φᵢ = a ∘ exp(wxᵢ + b), ϕᵢ = (a₁², …), Rᵢ(r) = λ Σ r, h = (a, 0, 0), ρ = ½.  (This R is not
    nonnegative, as the theorem asks; its proof does not use that.)

    **Returns:** a `Composed`; call it with an `Augmented` whose own network is `None`.

    Source: KK20, section 4.
    """
    risk = objective.risk
    q = risk.predictions(network)

    def regularised(params: Augmented) -> _Terms:
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
    """The result of the PGB condition at a point z.

    - `value`: Q(z); `gradient_norm`: ‖∇Q(z)‖.
    - `infimum`: of Q̃ over α, −∞ if unbounded below: the least value that was found, and so an upper
      bound on the infimum, which is lower by at most `slope`, the norm of the gradient there, times
      the distance (of outputs) to a minimizer.
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
        """Q(z) minus its upper bound at a minimum; positive if the condition fails."""
        return self.value - self.infimum - self.correction

    @property
    def refuted(self) -> bool:
        """Whether z is shown to be no minimum of Q over any ball of radius above ε."""
        return self.gap > self.tolerance * (1 + abs(self.value))


@explained
def pgb_test(
    objective: Composed,
    params: PyTree,
    *,
    epsilon: float | int,
    directions: PyTree,
    tolerance: float = 1e-9,
    rank_tolerance: float = 1e-8,
) -> PgbTest:
    """Check the PGB condition: compare Q(z) with the infimum over the span of perturbed gradients.

    If z minimizes Q over a ball of radius above ε, then for all directions Sⱼ that do not change
    the outputs, ‖Sⱼ‖ ≤ 1, φ(z + εSⱼ) = φ(z), ϕ(z + εSⱼ) = ϕ(z),

    Q(z) ≤ inf_α (1/m) Σᵢ Qᵢ(Σ αₖⱼ ∂ₖφᵢ(z + εSⱼ)) + Rᵢ(Σ αₖⱼ ∂ₖϕᵢ(z + εSⱼ))
           + ((ρ − 1)/(ρm)) Σᵢ ∂Rᵢ(ϕᵢ(z)) ϕᵢ(z).

    Proof: every z + εSⱼ is then a local minimum, so the gradient vanishes there, and with the
    convexity of Qᵢ and Rᵢ at the outputs, which are those at z, the bound follows; the homogeneity
    is used at z alone.  So a refutation holds for balls of radius above ε.  It shows that z is no
    local minimum if it persists as ε → 0: where Q is constant on a small ball and lower outside, a
    large ε refutes, rightly by this statement, a point that is a local minimum.

    The span is that of the left singular vectors of the matrix of gradients whose singular values
    exceed `rank_tolerance` times the largest: smaller ones could be rounding errors, and would
    refute minima.  The infimum is sought in an orthonormal basis of the span, by a trust-region
    Newton method (SciPy's "trust-exact").

    **Arguments:**

    - `objective`: a `Composed`; `params`: z.
    - `epsilon`: ε > 0; `directions`: S, like z with a leading axis; see `unchanging`.
    - `tolerance`: z is refuted if the inequality fails by more than this times 1 + |Q(z)|.  Where
      the gradient at z is small but not 0 it may fail slightly: converge z first.
    - `rank_tolerance`: see above.

    **Returns:** a `PgbTest`.

    **Raises:** `ValueError` if a condition fails: ε > 0, directions of norm at most 1 that leave
    the outputs unchanged, homogeneity, convexity (on one segment).

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
    jacobians = jax.lax.map(jax.jacfwd(stacked), z + epsilon * steps)
    _check_directions(steps, outputs, near)
    _check_homogeneous(objective, params)
    width = objective.outputs(params).shape[1]

    def of_stacked(o: Array) -> Array:
        o = o.reshape(outputs.shape)
        return objective.of_outputs(o[:, :width], o[:, width:])

    matrix = jnp.moveaxis(jacobians.reshape(len(steps), outputs.size, len(z)), 0, 1)
    left, singular, _ = np.linalg.svd(
        np.asarray(matrix).reshape(outputs.size, -1), full_matrices=False
    )
    rank = int((singular > rank_tolerance * singular.max(initial=0.0)).sum())
    basis = jnp.asarray(left[:, :rank])
    found = _minimum(lambda c: of_stacked(basis @ c), basis.T @ outputs.reshape(-1))
    _check_convex(of_stacked, outputs.reshape(-1), basis @ found.x)
    penalty = 0.0
    if objective.penalties is not None:
        terms = outputs[:, width:]
        rates = jax.grad(lambda r: jnp.sum(objective.penalties(r)))(terms)  # pyright: ignore
        penalty = float(jnp.sum(rates * terms)) / len(outputs)
    value, gradient = jax.value_and_grad(lambda x: objective(unravel(x)))(z)
    return PgbTest(
        value=float(value),
        gradient_norm=float(jnp.linalg.norm(gradient)),
        infimum=float(found.fun),
        correction=(objective.degree - 1) / objective.degree * penalty,
        slope=float(np.linalg.norm(found.jac)),
        rank=rank,
        epsilon=float(epsilon),
        tolerance=tolerance,
    )


def _minimum(
    function: Callable[[Array], Array], start: Float[Array, " variables"]
) -> OptimizeResult:
    """Minimize a convex function; its `fun` is −∞ if it falls below −1e12."""
    value_and_gradient, hessian = (
        jax.jit(jax.value_and_grad(function)),
        jax.jit(jax.hessian(function)),
    )

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(jnp.asarray(x))
        return float(value), np.asarray(gradient)

    def stop_if_unbounded(intermediate_result: OptimizeResult) -> None:
        if intermediate_result.fun < _BOTTOM:
            raise StopIteration

    if not start.size:
        value, gradient = evaluate(np.asarray(start))
        return OptimizeResult(x=np.asarray(start), fun=value, jac=gradient)
    found = minimize(
        evaluate, np.asarray(start), jac=True, hess=lambda x: np.asarray(hessian(jnp.asarray(x))),
        method="trust-exact", callback=stop_if_unbounded,
        options={"gtol": 1e-13, "maxiter": 500, "max_trust_radius": np.inf},
    )  # fmt: skip
    found.fun = found.fun if found.fun >= _BOTTOM else -np.inf
    return found


@explained
def unchanging(
    objective: Composed, params: PyTree, count: int, *, epsilon: float | int, key: Key[Array, ""]
) -> PyTree:
    """Find directions v, ‖v‖ ≤ 1, for which the outputs at z + εv equal those at z.

    From random v, by Gauss–Newton on φ(z + εv) = φ(z), ϕ(z + εv) = ϕ(z).

    **Arguments:** `params`, z; `count`, the number of random v; `epsilon`, ε; `key`.

    **Returns:** the directions found, like z with a leading axis of at most `count`, possibly 0.

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
    """Return the end points v of the search, and the largest change of an output at each."""
    z, unravel = ravel_pytree(params)

    def change(v: Array) -> Array:
        near, here = objective.both(unravel(z + epsilon * v)), objective.both(unravel(z))
        return jnp.concatenate([(n - h).reshape(-1) for n, h in zip(near, here, strict=True)])

    def find(key: Array) -> tuple[Array, Array]:
        v = jax.random.normal(key, z.shape, z.dtype)
        v /= 2 * jnp.linalg.norm(v)
        # First in the leading singular directions alone: else a exp(b) = 0 is solved by b → −∞.
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
            f"outputs move by {moved:.3g} along a direction; they must stay unchanged (see "
            "`unchanging`)"
        )


def _check_homogeneous(objective: Composed, params: PyTree) -> None:
    (q, r), (dq, dr) = jax.jvp(objective.both, (params,), (objective.scaling(params),))
    bound = 1e3 * float(jnp.finfo(q.dtype).eps)
    for name, is_, should in (("φ", q, dq), ("ϕ", r, objective.degree * dr)):
        off = float(jnp.abs(is_ - should).max(initial=0.0))
        if not off <= bound * (1 + float(jnp.abs(is_).max(initial=0.0))):
            sum_ = f"Σ hₖ ∂ₖ{name}" if name == "φ" else f"ρ Σ hₖ ∂ₖ{name}"
            raise ValueError(f"{name} differs by {off:.3g} from {sum_}; give its h and ρ")


def _check_convex(function: Callable[[Array], Array], one: Array, two: Array) -> None:
    """Check convexity at the quarters of the segment between two points."""
    ends = [float(function(one)), float(function(two))]
    rounding = 1e3 * float(jnp.finfo(one.dtype).eps) * (1 + sum(map(abs, ends)))
    for share in (0.25, 0.5, 0.75):
        value = float(function((1 - share) * one + share * two))
        if value > (1 - share) * ends[0] + share * ends[1] + rounding:
            raise ValueError(
                f"the losses are not convex: {value:.6g} at {share} of the segment between outputs "
                f"of loss {ends[0]:.6g} and {ends[1]:.6g}"
            )

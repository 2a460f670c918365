"""Theorem 4 and corollary 5 of YSJ19: the kind of a critical point of a deep linear network."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Scalar

from landscape_jax.mistakes import explained
from landscape_jax.networks import DeepLinear, criteria
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.precision import require_float64
from landscape_jax.theory.deep_linear.convex_criteria import OfProduct, has_minimum_near, is_convex
from landscape_jax.theory.deep_linear.products import Chain, Matrix, read_chain

_PointKind = Literal[
    "saddle", "local minimum", "global minimum", "local maximum", "global maximum", "undecided"
]
_DECLARED: dict[str, _PointKind] = {
    "global minima": "global minimum",
    "global maxima": "global maximum",
}
OfMatrix = Callable[[Float[Array, "outputs inputs"]], Scalar]


class LinearTolerances(NamedTuple):
    """Dimensionless tolerances below which the quantities of theorem 4 count as zero.

    With G = ∇ℓ₀(M) at the product M = W_{L:1}, Ĝ = G/‖G‖, π = Πₖ‖Wₖ‖ and

    Γ = ‖∇ℓ₀(0)‖ + ‖G − ∇ℓ₀(0)‖ + π ‖∇²ℓ₀(M) Ĝ‖,

    the size of the terms that cancel in G (for the squared loss G is the difference of the first
    two) and of the effect of rounding M:

    - `gradient`: the point is critical where ‖∇ℓ‖ ≤ `gradient` · Γ · max(1, maxⱼ Πₖ≠ⱼ‖Wₖ‖).
      The 1 is for points near the origin, where the ratio is meaningless: weights are assumed to be
      of order one there, as in `critical.classify`.
    - `slope`: G is zero if ‖G‖ ≤ `slope` · Γ and its zero is near, ‖G‖/‖∇²ℓ₀(M) Ĝ‖ ≤
      √`slope` · max(1, π) (a Newton step): a gradient may also be small because ℓ₀ flattens out at
      infinity.
    - `rank`: a singular value of W_{i:j} is zero if it is at most `rank` · ‖Wᵢ‖ ⋯ ‖Wⱼ‖, so that
      ranks do not depend on the units of a layer.  At a point that is only nearly critical the
      gradient limits the accuracy of ranks: where G is not zero, ‖W_{L:2}ᵀ G‖ ≤ ‖∇ℓ‖ makes
      2‖∇ℓ‖/(‖G‖ ‖W_L‖ ⋯ ‖W₂‖) the tolerance if that is larger (transposed for d_y > d_x).
    """

    gradient: float = 1e-8
    slope: float = 1e-8
    rank: float = 1e-8


_DEFAULT = LinearTolerances()


class LinearPoint(NamedTuple):
    """The kind of a critical point of a deep linear network by theorem 4, with its evidence.

    - `kind`: the kind of the point.
    - `part`: "1", "2(a)", "2(b)" or "3(a)" of the theorem; `None` if undecided.
    - `j_star`: in part 1 the layer that the proof perturbs last: its j* in case 2, and in case 1
      the last layer, or the first if there are more outputs than inputs.  In parts 2 and 3 the best
      conditioned j* of part 3, `None` if there is none.
    - `case`: 1 or 2 of the proof of part 1, otherwise `None`.
    - `ranks`: the ranks of the products W_{i:j} that decided, by name.
    - `gradient_norm`, ‖∇ℓ‖, and `gradient_bound`, up to which the point is critical.
    - `slope_norm`, ‖∇ℓ₀(W_{L:1})‖, and `slope_bound`, up to which it may be zero.
    - `rank_tolerance`: of singular values, relative to the product of the factors' norms.
    - `value`: ℓ.
    - `reason`: the decision in words.
    """

    kind: _PointKind
    part: str | None
    j_star: int | None
    case: int | None
    ranks: dict[str, int]
    gradient_norm: float
    gradient_bound: float
    slope_norm: float
    slope_bound: float
    rank_tolerance: float
    value: float
    reason: str


class Product(NamedTuple):
    """A deep linear network, ℓ₀, and the value and gradient of ℓ₀ at the product."""

    chain: Chain
    loss: OfMatrix
    value: float
    slope: Matrix
    gradient_norm: float
    gradient_bound: float
    slope_bound: float
    slope_is_near_zero: bool
    tolerances: LinearTolerances

    @property
    def slope_norm(self) -> float:
        """‖∇ℓ₀(W_{L:1})‖."""
        return float(np.linalg.norm(self.slope))

    @property
    def saddle_tolerance(self) -> float:
        """The tolerance of ranks if ∇ℓ₀ is not zero."""
        chain = self.chain if self.chain.inputs >= self.chain.outputs else self.chain.mirrored
        size = np.linalg.norm(self.slope, 2) * chain.norm(chain.depth, 2)
        # Twice the bound, which may be attained: W_{L:2} must not seem to have full rank.
        unknown = 2 * self.gradient_norm / size if size > 0 else 0.0
        return max(self.tolerances.rank, float(unknown))

    def hessian_spectrum(
        self,
    ) -> tuple[Float[np.ndarray, " entries"], Float[np.ndarray, "entries entries"]]:
        """Compute the eigenvalues of ∇²ℓ₀(W_{L:1}), in increasing order, and its eigenvectors."""
        M = jnp.asarray(self.chain.product(self.chain.depth, 1))
        values, vectors = np.linalg.eigh(np.asarray(_hessian(self.loss, M)))
        return values, vectors


def is_squared(loss: OfMatrix | EmpiricalRisk) -> TypeGuard[EmpiricalRisk]:
    """Check whether a loss is an empirical risk with the squared criterion."""
    return isinstance(loss, EmpiricalRisk) and loss.criterion == criteria.named("squared")


@explained
def classify_deep_linear(
    loss: OfMatrix | EmpiricalRisk,
    network: DeepLinear,
    *,
    critical_points_are: str | None = None,
    tolerances: LinearTolerances = _DEFAULT,
) -> LinearPoint:
    """Classify a critical point of ℓ(W₁, …, W_L) = ℓ₀(W_L ⋯ W₁) by ∇ℓ₀ at the product.

    Hidden layers must have dⱼ ≥ min(d_x, d_y).  Then, with M = W_{L:1} = W_L ⋯ W₁:

    1. ∇ℓ₀(M) ≠ 0: a saddle, whatever the Hessian (`escape_deep_linear` constructs the escape).
    2. ∇ℓ₀(M) = 0: (a) a local minimum (maximum) if M is one of ℓ₀; (b) a global one if and only if
       M is a global one of ℓ₀.
    3. W_{L:j*+1} of full row rank and W_{j*−1:1} of full column rank for some j*: then ∇ℓ₀(M) = 0,
       and the point has the kind of M as a critical point of ℓ₀, saddles included.

    For the named criteria of an `EmpiricalRisk` (squared, cross-entropy, logistic, hinge), which
    are convex, every critical point M of ℓ₀ is a global minimum, and so by corollary 5 every
    critical point of ℓ is a global minimum or a saddle.  For another ℓ₀ declare this by
    `critical_points_are`; otherwise the eigenvalues of ∇²ℓ₀(M) decide if all exceed
    √`tolerances.slope` ‖∇²ℓ₀(M)‖ in absolute value, and a minimum is called local.

    A point is "undecided" if ∇ℓ₀(M) = 0 and nothing is known about ℓ₀ there; if M is a saddle of
    ℓ₀ and there is no j* of part 3; and if the point is not converged: ∇ℓ₀(M) is small but not zero
    although part 3 requires it, or its zero is far, or, for logistic and cross-entropy, need not
    exist (`has_minimum_near`).

    **Arguments:**

    - `loss`: ℓ₀, a differentiable function of a matrix (d_y, d_x), or an `EmpiricalRisk`.
    - `network`: W₁, …, W_L, critical up to `tolerances.gradient`.
    - `critical_points_are`: "global minima" or "global maxima" if all critical points of ℓ₀ are;
      ignored for the named criteria of an `EmpiricalRisk`.
    - `tolerances`: see `LinearTolerances`.

    **Returns:** a `LinearPoint`.

    **Raises:** `ValueError` if the point is not critical, a hidden layer is too narrow, or numbers
    are not finite or not float64; `TypeError` if `network` is not a `DeepLinear`.

    Source: YSJ19, theorem 4 and corollary 5.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.EmpiricalRisk(jnp.eye(2), jnp.array([[2.0, 0.0], [0.0, 1.0]]))
    >>> half = jnp.diag(jnp.array([1.0, 0.0]))
    >>> found = classify_deep_linear(risk, lj.DeepLinear([half, 2 * half]))
    >>> found.kind, found.part, found.case, found.j_star, found.ranks
    ('saddle', '1', 1, 2, {'W2:2': 1, 'W1:2': 2})
    >>> whole = lj.DeepLinear([jnp.eye(2), jnp.diag(jnp.array([2.0, 1.0]))])
    >>> classify_deep_linear(risk, whole).kind
    'global minimum'

    ```
    """
    if critical_points_are not in (None, *_DECLARED):
        raise ValueError(
            f"critical_points_are is {critical_points_are!r}; give one of {', '.join(_DECLARED)}"
        )
    return classify_product(evaluate_at_product(loss, network, tolerances), critical_points_are)


def classify_product(at: Product, critical_points_are: str | None = None) -> LinearPoint:
    """Classify a point from the loss at its product; see `classify_deep_linear`."""
    tolerances = at.tolerances
    part_3, ranks = _full_ranks(at.chain, tolerances.rank)
    if at.slope_is_near_zero:
        if isinstance(at.loss, OfProduct) and is_convex(at.loss.risk):
            if not has_minimum_near(at.loss.risk, at.chain.product(at.chain.depth, 1)):
                reason = "∇ℓ₀ is zero at the product up to rounding, but ℓ₀ may have no minimum"
                return _point(at, "undecided", reason, j_star=part_3, ranks=ranks)
            critical_points_are = "global minima"
        return _inherited(at, critical_points_are, part_3, ranks)
    # A gradient in between that part 3 proves to be zero in the limit is left from descent.
    steep = at.slope_norm > at.slope_bound / math.sqrt(tolerances.slope)
    if at.slope_norm > at.slope_bound and at.chain.depth > 1 and (part_3 is None or steep):
        return _saddle(at)
    reason = (
        f"‖∇ℓ₀‖ is {at.slope_norm:.1e} at the product, neither zero nor clearly nonzero: "
        "continue the descent to its limit, if it has one"
    )
    return _point(at, "undecided", reason, j_star=part_3, ranks=ranks)


def evaluate_at_product(
    loss: OfMatrix | EmpiricalRisk, network: DeepLinear, tolerances: LinearTolerances
) -> Product:
    """Evaluate ℓ₀ and its derivatives at the product in float64; require a critical point."""
    for name, value in tolerances._asdict().items():
        if not 0 < value < 1:
            raise ValueError(f"tolerances.{name} is {value}; it must be between 0 and 1")
    require_float64("the decision of ranks")
    chain = read_chain(network)
    product = jnp.asarray(chain.product(chain.depth, 1))
    of_matrix = OfProduct(loss) if isinstance(loss, EmpiricalRisk) else loss
    value, slope, along, at_zero = map(np.asarray, _derivatives(of_matrix, product))
    if not all(np.isfinite(part).all() for part in (value, slope, along)):
        raise ValueError("the loss or its derivatives are not finite at the product")
    size, curvature = np.linalg.norm(slope), np.linalg.norm(along)
    # ℓ₀ may be undefined at 0.
    at_zero = at_zero if np.isfinite(at_zero).all() else np.zeros_like(at_zero)
    weight = chain.norm(chain.depth, 1)
    scale = np.linalg.norm(at_zero) + np.linalg.norm(slope - at_zero) + weight * curvature
    gradient = math.sqrt(sum(np.linalg.norm(part) ** 2 for part in chain.gradients(slope)))
    layers = range(1, chain.depth + 1)
    most = max(chain.norm(chain.depth, j + 1) * chain.norm(j - 1, 1) for j in layers)
    bound = float(tolerances.gradient * scale * max(1.0, most))
    if gradient > bound:
        raise ValueError(
            f"the point is not critical: ‖∇ℓ‖ is {gradient:.1e}, above the tolerance {bound:.1e}"
        )
    near = size <= math.sqrt(tolerances.slope) * max(1.0, weight) * curvature or size == 0
    return Product(
        chain=chain,
        loss=of_matrix,
        value=float(value),
        slope=slope,
        gradient_norm=gradient,
        gradient_bound=bound,
        slope_bound=float(tolerances.slope * scale),
        slope_is_near_zero=bool(near and size <= tolerances.slope * scale),
        tolerances=tolerances,
    )


@eqx.filter_jit
def _derivatives(loss: OfMatrix, product: Array) -> tuple[Array, Array, Array, Array]:
    """Compute ℓ₀, ∇ℓ₀, ∇²ℓ₀ Ĝ with Ĝ = ∇ℓ₀/‖∇ℓ₀‖, and ∇ℓ₀(0)."""
    value = loss(product)
    if value.shape != ():
        raise ValueError(f"loss returns shape {value.shape}; it must return a scalar")
    gradient_at = jax.grad(lambda R: loss(R))
    slope = gradient_at(product)
    norm = jnp.linalg.norm(slope)
    along = jax.jvp(gradient_at, (product,), (slope / jnp.where(norm > 0, norm, 1),))[1]
    return value, slope, along, gradient_at(jnp.zeros_like(product))


@eqx.filter_jit
def _hessian(loss: OfMatrix, product: Array) -> Array:
    flat = lambda entries: loss(entries.reshape(product.shape))
    return jax.hessian(flat)(product.ravel())


def _full_ranks(chain: Chain, tolerance: float) -> tuple[int | None, dict[str, int]]:
    """Return the best conditioned j* of part 3, if there is one, and all ranks computed."""
    best, found, ranks = 0.0, None, {}
    for j in range(1, chain.depth + 1):
        pairs = ((chain.depth, j + 1, chain.outputs), (j - 1, 1, chain.inputs))
        conditions, full = [], True
        for i, k, size in pairs:
            ranks[f"W{i}:{k}"] = chain.rank(i, k, tolerance)
            full &= ranks[f"W{i}:{k}"] == size
            sizes = np.linalg.svd(chain.product(i, k), compute_uv=False)
            conditions.append(float(sizes[-1]) / (chain.norm(i, k) or 1.0))
        if full and math.prod(conditions) > best:
            best, found = math.prod(conditions), j
    return found, ranks


def _saddle(at: Product) -> LinearPoint:
    """Return the saddle of part 1, with the case and the j* of its proof."""
    flipped = at.chain.inputs < at.chain.outputs
    chain = at.chain.mirrored if flipped else at.chain
    L, tolerance = chain.depth, at.saddle_tolerance
    ranks = [chain.rank(j, 2, tolerance) for j in range(1, L + 1)]
    # The last j with null(W_{j:2}) ⊋ null(W_{j−1:2}); case 1 if j = L.
    last = max(j for j in range(2, L + 1) if ranks[j - 1] < ranks[j - 2])
    case, j_star = (1 if last == L else 2), (L + 1 - last if flipped else last)
    names = [f"W{L - 1}:{L + 1 - j}" if flipped else f"W{j}:2" for j in range(1, L + 1)]
    reason = (
        f"∇ℓ₀ is not zero at the product (part 1, case {case} for "
        f"{'d_y > d_x' if flipped else 'd_x ≥ d_y'}, layer {j_star} is perturbed last)"
    )
    found = dict(zip(reversed(names), reversed(ranks), strict=True))
    return _point(
        at, "saddle", reason, part="1", j_star=j_star, case=case, ranks=found, tolerance=tolerance
    )


def _inherited(
    at: Product, declared: str | None, j_star: int | None, ranks: dict[str, int]
) -> LinearPoint:
    """Return the kind by parts 2 and 3, that of the product as a critical point of ℓ₀."""
    if declared is not None:
        reason = f"∇ℓ₀ is zero at the product, and critical points of ℓ₀ are {declared}"
        return _point(at, _DECLARED[declared], reason, part="2(b)", j_star=j_star, ranks=ranks)
    values, _ = at.hessian_spectrum()
    bound = math.sqrt(at.tolerances.slope) * float(np.abs(values).max())
    if values[0] < -bound and values[-1] > bound:
        if j_star is None:
            reason = "the product is a saddle of ℓ₀, and there is no j* of part 3"
            return _point(at, "undecided", reason, ranks=ranks)
        reason = f"the product is a saddle of ℓ₀, and part 3 holds with j* = {j_star}"
        return _point(at, "saddle", reason, part="3(a)", j_star=j_star, ranks=ranks)
    if (np.abs(values) <= bound).any():
        reason = "∇ℓ₀ is zero at the product, and the Hessian of ℓ₀ there is singular"
        return _point(at, "undecided", reason, j_star=j_star, ranks=ranks)
    kind: _PointKind = "local minimum" if values[0] > 0 else "local maximum"
    reason = f"∇ℓ₀ is zero at the product, a strict {kind} of ℓ₀ by its Hessian"
    return _point(at, kind, reason, part="2(a)", j_star=j_star, ranks=ranks)


def _point(
    at: Product,
    kind: _PointKind,
    reason: str,
    *,
    part: str | None = None,
    j_star: int | None = None,
    case: int | None = None,
    ranks: dict[str, int],
    tolerance: float | None = None,
) -> LinearPoint:
    return LinearPoint(
        kind=kind,
        part=part,
        j_star=j_star,
        case=case,
        ranks=ranks,
        gradient_norm=at.gradient_norm,
        gradient_bound=at.gradient_bound,
        slope_norm=at.slope_norm,
        slope_bound=at.slope_bound,
        rank_tolerance=at.tolerances.rank if tolerance is None else tolerance,
        value=at.value,
        reason=reason,
    )

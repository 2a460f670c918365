"""Points of higher and lower loss near a saddle of a deep linear network (proof of theorem 4)."""

from collections.abc import Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Array, Float

from landscape_jax.exact.rationals import matrix, nearest
from landscape_jax.mistakes import explained
from landscape_jax.networks import DeepLinear
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.theory.deep_linear.classification import (
    LinearTolerances,
    OfMatrix,
    Product,
    classify_product,
    evaluate_at_product,
    is_squared,
)
from landscape_jax.theory.deep_linear.products import Chain, Matrix

# Share of ε used, so that rounding of Wⱼ + Δⱼ leaves no tuple outside its ball.
_WITHIN = 0.99
# The η of the proof, and the shares of ε for its γ, that are tried.
_SIZES = 4.0 ** -np.arange(13)
_GAMMAS = (1.0, 0.5)
# Singular values below this, relative to the largest, are not inverted.
_CUT = 1e-13
# Rounding error of a difference of two losses, in units of eps times the size of the terms.
_ROUNDING = 64
_DEFAULT = LinearTolerances()


class LinearEscape(NamedTuple):
    """Two points near a saddle, one above it and one below.

    - `up`, `down`: the tuples (Pⱼ) and (Qⱼ), with ‖Pⱼ − Wⱼ‖_F ≤ ε and ‖Qⱼ − Wⱼ‖_F ≤ ε for each j.
    - `rise`, `fall`: ℓ(P) − ℓ(W) and ℓ(Q) − ℓ(W), for exactly these float64 matrices.
    - `noise`: a bound on their rounding errors; 0 if `exact`.
    - `exact`: whether they were computed in rational arithmetic, as for the squared loss.
    - `leftover`: ‖∇ℓ(W)‖ times the larger distance, the change due to a gradient that is not 0.
    """

    up: DeepLinear
    down: DeepLinear
    rise: float
    fall: float
    noise: float
    exact: bool
    leftover: float

    @property
    def shown(self) -> bool:
        """Whether the loss is higher at `up` and lower at `down` by more than rounding errors."""
        return self.rise > self.noise and self.fall < -self.noise

    @property
    def beyond_leftover(self) -> bool:
        """Whether both changes also exceed what a nonzero gradient at the point explains."""
        return self.shown and min(self.rise, -self.fall) > self.leftover


@explained
def escape_deep_linear(
    loss: OfMatrix | EmpiricalRisk,
    network: DeepLinear,
    *,
    epsilon: float | int,
    tolerances: LinearTolerances = _DEFAULT,
) -> LinearEscape:
    """Construct points of higher and lower loss within ε of a saddle.

    For d_x ≥ d_y; otherwise everything is transposed.  With G = ∇ℓ₀(W_{L:1}) ≠ 0, the singular
    vectors u and v₀ of its largest singular value, j* the last j ≥ 2 with
    null(W_{j:2}) ≠ null(W_{j−1:2}) (case 1: j* = L), and unit vectors
    v₁ ∈ null(W_{j*:2}) ∩ null(W_{j*−1:2})^⊥, vⱼ ∈ leftnull(W_{j:2}) for j* ≤ j < L, v_L = u,

    V₁ = W₁ + γ v₁v₀ᵀ,  Vⱼ = Wⱼ + γ vⱼvⱼ₋₁ᵀ for j > j*,

    leave the product unchanged, V_{L:j*+1} W_{j*:2} V₁ = W_{L:1}, but ∂ℓ/∂W_{j*} = AᵀGBᵀ with
    A = V_{L:j*+1} and B = W_{j*−1:2}V₁ is no longer zero: its term in γ^{L−j*+1} is not.  P and Q
    then have W_{j*} ± ηΔ, ‖Δ‖ = ε.

    The paper's Δ is along AᵀGBᵀ.  Where this is ill-conditioned, it mostly changes the product in
    directions in which ℓ₀ is flat: at one saddle of five layers the loss then decreases by 2e-22
    for ε = 1e-5, at others by less than rounding errors.  Δ along A⁺GB⁺, which changes the product
    along G, achieves 4e-16 or more there, and is tried too.  Among both, γ ∈ {ε, ε/2}, η = 4⁻ᵏ and
    both signs of γ, the points of highest and lowest loss are returned; the sign matters where the
    gradient at the point is not quite 0.  At the origin the losses differ from ℓ(W) by the order of
    ε^L, and near it by no more.

    A saddle of part 3 of the theorem is one of ℓ₀: the points are W_{j*} ± ηA⁺EB⁺ with the first
    and the last eigenvector E of ∇²ℓ₀.

    **Arguments:** `loss`, `network` and `tolerances` as of `classify_deep_linear`; `epsilon`, the
    radius ε > 0 of the ball, in the Frobenius norm, around each Wⱼ.

    **Returns:** a `LinearEscape`; check `.shown`.  For the squared loss of an `EmpiricalRisk` the
    differences are exact; for another loss rounding may hide the effect of a small ε.  P and Q are
    float64 too: from five layers on, rounding them may change the loss more than ε = 1e-5 does.

    **Raises:** `ValueError` if the point is not a saddle or ε is not positive; also as
    `classify_deep_linear`.

    Source: YSJ19, appendices A7.1, A7.2 and A7.5.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.EmpiricalRisk(jnp.eye(2), jnp.eye(2))
    >>> origin = lj.DeepLinear([jnp.zeros((2, 2))] * 4)
    >>> bool((lj.hessian(risk, origin) == 0).all())
    True
    >>> found = escape_deep_linear(risk, origin, epsilon=1e-5)
    >>> found.shown, found.exact, float(f"{found.fall:.1e}")
    (True, True, -9.6e-21)

    ```
    """
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon is {epsilon}; it must be a positive number")
    at = evaluate_at_product(loss, network, tolerances)
    point = classify_product(at)
    if point.kind != "saddle" or point.j_star is None:
        raise ValueError(f"the point is not a saddle but {point.kind}: {point.reason}")
    if point.part == "1":
        tuples = list(_perturbed(at, point.j_star, _WITHIN * epsilon))
    else:
        tuples = list(_along_eigenvectors(at, point.j_star, _WITHIN * epsilon))
    differences, noise = _differences(at, tuples)
    if is_squared(loss):
        if differences.max() > noise and differences.min() < -noise:
            tuples = [tuples[differences.argmax()], tuples[differences.argmin()]]
        compare = _ExactDifference(loss, at.chain)
        differences, noise = np.array([compare(chain) for chain in tuples]), 0.0
    best = tuples[differences.argmax()], tuples[differences.argmin()]
    up, down = (DeepLinear([jnp.asarray(weight) for weight in chain.weights]) for chain in best)
    return LinearEscape(
        up,
        down,
        rise=float(differences.max()),
        fall=float(differences.min()),
        noise=noise,
        exact=is_squared(loss),
        leftover=at.gradient_norm * max(_distance(chain, at.chain) for chain in best),
    )


def _perturbed(at: Product, j_star: int, radius: float) -> Iterator[Chain]:
    """Yield the perturbed weights of part 1."""
    flipped = at.chain.inputs < at.chain.outputs
    chain, slope = (at.chain.mirrored, at.slope.T) if flipped else (at.chain, at.slope)
    layer = chain.depth + 1 - j_star if flipped else j_star
    aside = _unit_steps(chain, slope, layer, at.saddle_tolerance)
    for gamma in (sign * part * radius for part in _GAMMAS for sign in (1, -1)):
        moved = Chain(
            tuple(weight + gamma * step for weight, step in zip(chain.weights, aside, strict=True))
        )
        A, B = moved.product(chain.depth, layer + 1), moved.product(layer - 1, 1)
        along = np.linalg.pinv(A, _CUT) @ slope @ np.linalg.pinv(B, _CUT)
        for direction in (along, A.T @ slope @ B.T):
            for changed in _both_signs(moved, layer, direction, radius):
                yield changed.mirrored if flipped else changed


def _unit_steps(chain: Chain, slope: Matrix, layer: int, tolerance: float) -> list[Matrix]:
    """Return (Vⱼ − Wⱼ)/γ of each layer, zero for layers that keep their weights."""
    steps = [np.zeros_like(weight) for weight in chain.weights]
    left, _, right = np.linalg.svd(slope)
    inner = np.linalg.svd(chain.product(layer, 2))[2][chain.rank(layer, 2, tolerance) :].T
    # v₁ ∈ null(W_{j*−1:2})^⊥ is the vector that W_{j*−1:2} stretches most.
    v1 = inner @ np.linalg.svd(chain.product(layer - 1, 2) @ inner)[2][0]
    steps[0] = np.outer(v1, right[0])
    before = None
    for j in range(layer, chain.depth + 1):
        # W_{j:2} has rank below d_y ≤ dⱼ: its last left singular vector is in the left null space.
        here = left[:, 0] if j == chain.depth else np.linalg.svd(chain.product(j, 2))[0][:, -1]
        if before is not None:
            steps[j - 1] = np.outer(here, before)
        before = here
    return steps


def _along_eigenvectors(at: Product, layer: int, radius: float) -> Iterator[Chain]:
    """Yield the perturbed weights of part 3, where the product is a saddle of ℓ₀."""
    chain = at.chain
    A, B = chain.product(chain.depth, layer + 1), chain.product(layer - 1, 1)
    _, vectors = at.hessian_spectrum()
    for E in (vectors[:, 0], vectors[:, -1]):
        direction = np.linalg.pinv(A) @ E.reshape(at.slope.shape) @ np.linalg.pinv(B)
        yield from _both_signs(chain, layer, direction, radius)


def _both_signs(chain: Chain, layer: int, direction: Matrix, radius: float) -> Iterator[Chain]:
    """Yield the weights with one layer moved by ± η times the radius along a direction."""
    norm = np.linalg.norm(direction)
    step = direction * (radius / norm if norm > 0 else 0.0)
    weights = chain.weights
    for size in (*_SIZES, *-_SIZES):
        moved = weights[layer - 1] + size * step
        yield Chain((*weights[: layer - 1], moved, *weights[layer:]))


def _differences(at: Product, tuples: list[Chain]) -> tuple[Float[np.ndarray, " tuples"], float]:
    """Compute ℓ − ℓ(W) at each tuple in float64, and a bound on the rounding errors."""
    depth = at.chain.depth
    products = jnp.asarray(np.stack([chain.product(depth, 1) for chain in tuples]))
    values = np.asarray(_values(at.loss, products))
    size = abs(at.value) + at.slope_norm * at.chain.norm(depth, 1)
    return values - at.value, float(_ROUNDING * np.finfo(np.float64).eps * size)


@eqx.filter_jit
def _values(loss: OfMatrix, products: Float[Array, "tuples outputs inputs"]) -> Array:
    return jax.lax.map(lambda R: loss(R), products)


class _ExactDifference:
    """ℓ(P) − ℓ(W) for the squared loss, in rational arithmetic.

    With D = P_{L:1} − W_{L:1}, C = Σ xᵢxᵢᵀ and B = Σ yᵢxᵢᵀ it is
    (2⟨W_{L:1}C − B, D⟩ + ⟨DC, D⟩)/N.
    """

    def __init__(self, risk: EmpiricalRisk, chain: Chain):
        x, y = matrix(np.asarray(risk.x)), matrix(np.asarray(risk.y))
        self.samples = len(risk.x)
        self.square = x.transpose() * x
        self.start = _product(chain)
        self.slope = self.start * self.square - y.transpose() * x

    def __call__(self, chain: Chain) -> float:
        change = _product(chain) - self.start
        total = 2 * _inner(self.slope, change) + _inner(change * self.square, change)
        return nearest(total / self.samples)


def _product(chain: Chain) -> fmpq_mat:
    first, *others = map(matrix, chain.weights)
    for weight in others:
        first = weight * first
    return first


def _inner(left: fmpq_mat, right: fmpq_mat) -> fmpq:
    return sum((a * b for a, b in zip(left.entries(), right.entries(), strict=True)), fmpq(0))


def _distance(one: Chain, other: Chain) -> float:
    pairs = zip(one.weights, other.weights, strict=True)
    return float(np.sqrt(sum(np.linalg.norm(a - b) ** 2 for a, b in pairs)))

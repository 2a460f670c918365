"""Section 8.2 of SS16: two samples on which a sigmoid neuron has two minima, in ball arithmetic."""

import math

import numpy as np
from flint import arb
from jaxtyping import Float
from scipy.special import betainc

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained
from landscape_jax.proofs.analytic import derivatives, piece
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.theory.overspecification.relu_neuron import Bounds, NeuronPair
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers

_BITS = 192
# Critical points are enclosed in intervals of this width, far below float64 precision.
_WIDTH = 2.0**-120
# Bisection of [−1, 0] gives up at this width.
_NARROWEST = 2.0**-40

_Samples = list[tuple[arb, arb]]


@explained
def sigmoid_pair(epsilon: float) -> NeuronPair:
    """Prove that a sigmoid neuron has two strict minima on section 8.2's samples, and enclose them.

    The samples are (−x₁, ½) and (x₂, ½ − √(2ε)) with x₁ = 4 ln(2/ε) and
    x₂ = ln((1 + 2√(2ε))/(1 − 2√(2ε))), so that E(0) = ε.  For w > 0 both losses increase and
    for w < −1 both decrease, so all critical points are in [−1, 0].  This interval is bisected in
    ball arithmetic until on every piece E′ has one sign, or E″ has and so E′ at most one zero.  If
    there are exactly three, with E″ > 0, < 0 and > 0, there are two strict minima and no other.

    The minima have no closed form.  ε = 0.1: w ≈ −0.9982 of value 0.124997 and w ≈ −0.0359 of
    value 0.0944, and between them the maximum w ≈ −0.3011 of value 0.1416.

    Errors in the paper: the value of the bad minimum is not above 1/8 but below, as it is at most
    E(−1), which is less than 1/8 in its table; it is 1/8 − O(x₁e^{−x₁}).  The barrier E(−½) > 1/8
    is shown for 2ε(1 + w)² in place of L₂, which is larger than L₂; it holds (ε = 0.1: 0.1333).
    "For sufficiently small ε" is ε ≤ 0.12; from about 0.124 on there is one minimum.  The basins
    meet at w ≈ −0.3, not at 0; see `bad_start_probability`.

    **Arguments:** `epsilon`, 0 < ε < 1/8 (else x₂ does not exist), at least 1e-6 (below it the bad
    minimum is −1 in float64).

    **Returns:** a `NeuronPair`; its `x` and `y` are the samples rounded, its bounds hold for the
    exact samples.

    **Raises:** `ValueError` if ε is not in that range, or there are not two minima.

    Source: SS16, section 8.2; figures 5 and 6 are `sample_losses` with `surrogate_loss`, and
    `neuron_loss`.

    ```python
    >>> pair = sigmoid_pair(0.1)
    >>> round(pair.bad, 4), round(pair.good, 4), round(pair.bad_value, 6), pair.bad_value < 1 / 8
    (-0.9982, -0.0359, 0.124997, True)

    ```
    """
    epsilon = float(epsilon)
    if not 1e-6 <= epsilon < 0.125:
        raise ValueError(f"epsilon is {epsilon}; it must be from 1e-6 to below 1/8")
    with working_precision(_BITS):
        samples = _samples(epsilon)
        pieces = _isolate(samples, arb(-1), arb(0))
        roots = [_refined(samples, *ends) for ends in pieces]
        jets = [_jet(samples, root) for root in roots]
        signs = [1 if second > 0 else -1 if second < 0 else 0 for _, _, second in jets]
        if signs != [1, -1, 1]:
            raise ValueError(
                f"epsilon is {epsilon}, where E″ has the signs {signs} at the critical points: "
                "not two minima and a maximum; give an epsilon of at most 0.12"
            )
        bad, boundary, good = roots
        return NeuronPair(
            epsilon=epsilon,
            activation="sigmoid",
            x=(float(samples[0][0]), float(samples[1][0])),
            y=(float(samples[0][1]), float(samples[1][1])),
            good=float(good),
            bad=float(bad),
            boundary=float(boundary),
            good_value=float(jets[2][0]),
            bad_value=float(jets[0][0]),
            good_curvature=float(jets[2][2]),
            bad_curvature=float(jets[0][2]),
            good_bounds=_bounds(good),
            bad_bounds=_bounds(bad),
            boundary_bounds=_bounds(boundary),
            good_value_bounds=_bounds(jets[2][0]),
            bad_value_bounds=_bounds(jets[0][0]),
        )


@explained
def surrogate_loss(
    epsilon: float, w: float | Float[np.ndarray, "..."]
) -> float | Float[np.ndarray, "..."]:
    """Compute 2ε(1 + w)², where L₂(w)/2ε → (1 + w)² as ε → 0, uniformly on bounded sets.

    Source: SS16, lemma 8 and figure 5.

    ```python
    >>> surrogate_loss(0.25, 1.0)
    2.0

    ```
    """
    return 2 * epsilon * ((1 + w) * (1 + w))


@explained
def bad_start_probability(
    pair: NeuronPair, dims: Sizes, *, radius: float | int = 1.0
) -> Float[np.ndarray, "..."]:
    """Compute the probability that one coordinate of a random initialization is in the bad basin.

    Pr[r u_j on the bad side of the boundary] for u uniform on the unit sphere of d dimensions.  For
    the ReLU neuron it is ½ for all d and r.  For the sigmoid's boundary −b it is ½ I(1 − b²/r²; (d
    − 1)/2, ½), which decreases with d: on the unit sphere (ε = 0.1) it is 0.40 for d = 2, 0.18 for
    d = 10 and 0.001 for d = 100.  So section 8.2 shows that most minima are bad, but not that most
    initializations on the unit sphere are in bad basins.

    **Arguments:** `pair`; `dims`, d ≥ 1, integers of any shape; `radius`, r > 0.

    **Raises:** `ValueError` if a d is less than 1, or r is not a positive number.

    Source: SS16, section 8.2, against theorem 1.

    ```python
    >>> from landscape_jax.theory.overspecification import relu_pair
    >>> float(bad_start_probability(relu_pair(0.1), 7)), bad_start_probability(sigmoid_pair(0.1), 1)
    (0.5, array(0.5))

    ```
    """
    sizes = whole_numbers("dims", dims)
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"radius is {radius}; it must be a positive number")
    height = abs(pair.boundary) / radius
    if height >= 1:
        return np.zeros(sizes.shape)
    # In one dimension the point is −r or r.
    cap = betainc(np.maximum(sizes - 1, 1) / 2, 0.5, 1 - height**2)
    return np.where(sizes == 1, 0.5, cap / 2)


def _samples(epsilon: float) -> _Samples:
    root = (2 * arb(epsilon)).sqrt()
    first = 4 * (2 / arb(epsilon)).log()
    second = ((1 + 2 * root) / (1 - 2 * root)).log()
    half = arb(1) / 2
    return [(-first, half), (second, half - root)]


def _jet(samples: _Samples, w: arb) -> tuple[arb, arb, arb]:
    """Enclose E, E′ and E″ on a ball."""
    value, first, second = arb(0), arb(0), arb(0)
    for x, y in samples:
        at = w * x
        near = piece("sigmoid", at)
        assert near is not None
        p, p1, p2 = derivatives(near, at)
        value += (p - y) * (p - y) / 2
        first += (p - y) * p1 * x
        second += (p1 * p1 + (p - y) * p2) * x * x
    return value, first, second


def _isolate(samples: _Samples, left: arb, right: arb) -> list[tuple[arb, arb]]:
    """List intervals that contain exactly one zero of E′ each, and all of them, in order."""
    _, first, second = _jet(samples, left.union(right))
    if first > 0 or first < 0:
        return []
    if second > 0 or second < 0:
        before, after = _jet(samples, left)[1], _jet(samples, right)[1]
        if (before > 0 and after < 0) or (before < 0 and after > 0):
            return [(left, right)]
        if (before > 0 and after > 0) or (before < 0 and after < 0):
            return []
    if not right - left > _NARROWEST:
        raise ValueError(
            "two critical points are too close to be separated; give a smaller epsilon"
        )
    # Not the midpoint, which may be a critical point.
    between = (left * 517 + right * 483) / 1000
    return _isolate(samples, left, between) + _isolate(samples, between, right)


def _refined(samples: _Samples, left: arb, right: arb) -> arb:
    """Enclose the zero of E′ between two points at which it has opposite signs."""
    rises = bool(_jet(samples, right)[1] > 0)
    while right - left > _WIDTH:
        between = ((left + right) / 2).mid()
        first = _jet(samples, between)[1]
        if not (first > 0 or first < 0):
            break
        left, right = (left, between) if bool(first > 0) == rises else (between, right)
    return left.union(right)


def _bounds(x: arb) -> Bounds:
    return lower(x), upper(x)

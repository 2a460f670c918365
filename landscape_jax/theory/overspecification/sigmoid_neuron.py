"""Section 8.2 of SS16: two samples on which a sigmoid neuron has two minima, enclosed in balls."""

import math

import numpy as np
from flint import arb, ctx
from jaxtyping import Float
from scipy.special import betainc

from landscape_jax.proofs.analytic import derivatives, piece
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.theory.overspecification.relu_neuron import Bounds, NeuronPair
from landscape_jax.theory.overspecification.sizes import Sizes, whole_numbers

_BITS = 192
# Bounds of a critical point closer than this leave float64 nothing to say.
_WIDTH = 2.0**-120
# An interval of [−1, 0] that is this narrow and still not decided will not be.
_NARROWEST = 2.0**-40

_Samples = list[tuple[arb, arb]]


def sigmoid_pair(epsilon: float) -> NeuronPair:
    """Find the two strict minima of a sigmoid neuron on section 8.2's samples, and prove them.

    The samples are (−x₁, ½) and (x₂, ½ − √(2ε)) with x₁ = 4 ln(2/ε) and
    x₂ = ln((1 + 2√(2ε))/(1 − 2√(2ε))), so that E(0) = ε.  For w > 0 both losses rise and for
    w < −1 both fall, hence all critical points are in [−1, 0].  There ball arithmetic bisects until
    on every piece E′ has one sign, or E″ has and so E′ at most one zero.  With exactly three,
    of E″ > 0, < 0 and > 0, there are two strict local minima and no other.

    The minima have no closed form.  ε = 0.1: w ≈ −0.9982 of value 0.124997 and w ≈ −0.0359 of
    value 0.0944, and between them the maximum w ≈ −0.3011 of value 0.1416.

    What the paper says and does not hold: the bad minimum's value is not above 1/8 but below, as
    it is at most E(−1), which its own table gives as less than 1/8; it is 1/8 − O(x₁e^{−x₁}).  Its
    barrier E(−½) > 1/8 it shows for 2ε(1 + w)² in place of L₂, which is larger than L₂; it holds
    (ε = 0.1: 0.1333).  "For sufficiently small ε" is ε ≤ 0.12; from about 0.124 on there is one
    minimum.  The basins meet at w ≈ −0.3, not at 0; see `bad_start_probability`.

    **Arguments:** `epsilon`, 0 < ε < 1/8 (else x₂ does not exist), at least 1e-6 (below it float64
    does not tell the bad minimum from −1).

    **Returns:** a `NeuronPair`; its `x` and `y` are the samples rounded, its bounds hold for them
    as they are.

    **Raises:** `ValueError` where ε is not in that range, or there are not two minima.

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
    with ctx.workprec(_BITS):
        samples = _samples(epsilon)
        pieces = _isolate(samples, arb(-1), arb(0))
        roots = [_refined(samples, *ends) for ends in pieces]
        looks = [_look(samples, root) for root in roots]
        bends = [1 if bend > 0 else -1 if bend < 0 else 0 for _, _, bend in looks]
        if bends != [1, -1, 1]:
            raise ValueError(
                f"epsilon is {epsilon}, where the loss has critical points of curvatures {bends}, "
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
            good_value=float(looks[2][0]),
            bad_value=float(looks[0][0]),
            good_curvature=float(looks[2][2]),
            bad_curvature=float(looks[0][2]),
            good_bounds=_bounds(good),
            bad_bounds=_bounds(bad),
            boundary_bounds=_bounds(boundary),
            good_value_bounds=_bounds(looks[2][0]),
            bad_value_bounds=_bounds(looks[0][0]),
        )


def surrogate_loss(
    epsilon: float, w: float | Float[np.ndarray, "..."]
) -> float | Float[np.ndarray, "..."]:
    """Give 2ε(1 + w)², which L₂(w)/2ε approaches as ε → 0, uniformly on bounded sets.

    Source: SS16, lemma 8 and figure 5.

    ```python
    >>> surrogate_loss(0.25, 1.0)
    2.0

    ```
    """
    return 2 * epsilon * (1 + w) ** 2


def bad_start_probability(
    pair: NeuronPair, dims: Sizes, *, radius: float | int = 1.0
) -> Float[np.ndarray, "..."]:
    """Give the probability that one coordinate of a start on a sphere lies in the bad basin.

    Pr[r u_j on the bad side of the boundary] for u uniform on the unit sphere of d dimensions.  For
    the ReLU neuron it is ½, whatever d and r.  For the sigmoid's boundary −b it is
    ½ I(1 − b²/r²; (d − 1)/2, ½), which falls with d: on the unit sphere (ε = 0.1) it is 0.40 for
    d = 2, 0.18 for d = 10 and 0.001 for d = 100.  So section 8.2 shows that most minima are bad, as
    it says, but not that most starts on the unit sphere are in bad basins.

    **Arguments:** `pair`; `dims`, d ≥ 1, whole numbers of any shape; `radius`, r > 0.

    **Raises:** `ValueError` where a d is less than 1, or r is not a positive number.

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
    # In one dimension the start is −r or r.
    cap = betainc(np.maximum(sizes - 1, 1) / 2, 0.5, 1 - height**2)
    return np.where(sizes == 1, 0.5, cap / 2)


def _samples(epsilon: float) -> _Samples:
    root = (2 * arb(epsilon)).sqrt()
    first = 4 * (2 / arb(epsilon)).log()
    second = ((1 + 2 * root) / (1 - 2 * root)).log()
    half = arb(1) / 2
    return [(-first, half), (second, half - root)]


def _look(samples: _Samples, w: arb) -> tuple[arb, arb, arb]:
    """Enclose E, E′ and E″ on a ball."""
    value, slope, bend = arb(0), arb(0), arb(0)
    for x, y in samples:
        at = w * x
        near = piece("sigmoid", at)
        assert near is not None
        p, p1, p2 = derivatives(near, at)
        value += (p - y) * (p - y) / 2
        slope += (p - y) * p1 * x
        bend += (p1 * p1 + (p - y) * p2) * x * x
    return value, slope, bend


def _isolate(samples: _Samples, left: arb, right: arb) -> list[tuple[arb, arb]]:
    """Give intervals that hold exactly one zero of E′ each, and all of them, from left to right."""
    _, slope, bend = _look(samples, left.union(right))
    if slope > 0 or slope < 0:
        return []
    if bend > 0 or bend < 0:
        before, after = _look(samples, left)[1], _look(samples, right)[1]
        if (before > 0 and after < 0) or (before < 0 and after > 0):
            return [(left, right)]
        if (before > 0 and after > 0) or (before < 0 and after < 0):
            return []
    if not right - left > _NARROWEST:
        raise ValueError(
            "two critical points of this epsilon are too near to be told apart; give a smaller one"
        )
    # Not the middle: no end is to be a critical point.
    between = (left * 517 + right * 483) / 1000
    return _isolate(samples, left, between) + _isolate(samples, between, right)


def _refined(samples: _Samples, left: arb, right: arb) -> arb:
    """Enclose the zero of E′ between two points at which it has opposite signs."""
    rises = bool(_look(samples, right)[1] > 0)
    while right - left > _WIDTH:
        between = ((left + right) / 2).mid()
        slope = _look(samples, between)[1]
        if not (slope > 0 or slope < 0):
            break
        left, right = (left, between) if bool(slope > 0) == rises else (between, right)
    return left.union(right)


def _bounds(x: arb) -> Bounds:
    return lower(x), upper(x)

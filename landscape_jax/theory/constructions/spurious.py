"""Theorem 1 of YSJ19: for almost all data, a spurious minimum with the least-squares risk."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import least_squares, rational
from landscape_jax.exact.samples import Samples, exact_samples
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer, activations
from landscape_jax.networks.activations import Activation
from landscape_jax.proofs import NotProven, SpuriousOnData, prove_spurious_on_data
from landscape_jax.theory.constructions.piecewise_linear import RationalNetwork, rational_slopes

# Risks between this and its inverse are floats.
_SMALLEST = fmpq(1, 10**300)
# The risk of the rounded minimum may exceed the least-squares risk by this relative amount.
_ROUNDED = fmpq(1, 10**12)
_EPS = fmpq(1, 2**52)


class SpuriousMinimum(NamedTuple):
    """A local minimum of the risk ½ Σᵢ (q(xᵢ) − yᵢ)² that is not global, and a lower point.

    Risks are exact rationals; `float` rounds them.

    - `least_squares_risk`: the risk of the best affine function.
    - `exact_minimum`: the local minimum, with exactly this risk; `minimum`: its parameters rounded
      to float64.
    - `exact_better`: a network of lower risk; `better`: rounded.
    - `minimum_risk`, `better_risk`: the risks of the rounded networks.
    - `case`: of the theorem's proof, "J" or "J empty"; `samples`: the data, exactly.

    If float64 cannot represent two networks with these risks, as for labels far from 0, `minimum`
    and `better` are `None`, and the risks are those of the exact networks.
    """

    least_squares_risk: fmpq
    minimum: TwoLayer | None
    minimum_risk: fmpq
    exact_minimum: RationalNetwork
    better: TwoLayer | None
    better_risk: fmpq
    exact_better: RationalNetwork
    case: str
    samples: Samples

    def __repr__(self) -> str:
        """Return both risks, rounded, and the case."""
        risks = float(self.least_squares_risk), float(self.better_risk)
        return (
            f"SpuriousMinimum(risk={risks[0]:.9g}, better_risk={risks[1]:.9g}, case={self.case!r})"
        )

    def claim(self) -> SpuriousOnData | NotProven:
        """Prove that the exact minimum is one and the exact better network better, for a file.

        **Returns:** a `SpuriousOnData`, which has `save` and which `verify` checks by itself.
        """
        return prove_spurious_on_data(
            fmpq_mat([row[:-1] for row in self.samples.rows.tolist()]),
            tuple(self.samples.labels.entries()),
            rational_slopes(self.exact_minimum.activation),
            self.exact_minimum.layers(),
            self.exact_better.layers(),
        )


class _Fit(NamedTuple):
    """The least squares: its line (W̄, W̄₀), its predictions ȳᵢ, and their errors ȳᵢ − yᵢ."""

    line: list[fmpq]
    fitted: list[fmpq]
    errors: list[fmpq]


class _Bend(NamedTuple):
    """The better network: its line (u, u₀), the prediction β of its kink, and the shift γ."""

    line: list[fmpq]
    beta: fmpq
    gamma: fmpq


@explained
def spurious_minimum(
    x: Any,
    y: Any,
    *,
    activation: str | Callable | Activation | tuple[float | int, float | int] = "relu",
    width: int = 2,
    alpha: float | int = 1,
    place: int = 0,
) -> SpuriousMinimum:
    """Construct a local minimum with the least-squares risk, and a network of lower risk.

    With the least-squares solution (W̄, W̄₀), its predictions ȳ and η = min(−1, 2 min ȳ), the
    minimum is

    W₁ = α[W̄; 0], b₁ = α[W̄₀ − η; −η1], W₂ = (1/(αs₊)) [1 0ᵀ], b₂ = η:

    all neurons are active at all samples, so near it every prediction is affine in x, and those of
    the network are the best affine ones.  Each α > 0 and each `place` gives another minimum.

    The better network has W₁ = [u; −u; 0], b₁ = [u₀ − β + γ; −u₀ + β + γ; 0], W₂ = (1/(s₊ + s₋)) [1
    −1 0ᵀ], b₂ = β.  It predicts u·x + u₀ ∓ κγ, κ = (s₊ − s₋)/(s₊ + s₋), with − below β and + above.
    *Case J:* (u, u₀) is the least squares, β lies between two neighbouring predictions ȳⱼ < ȳⱼ₊₁
    with S = Σ_{i≤j} (ȳᵢ − yᵢ) ≠ 0 and |γ| = min((ȳⱼ₊₁ − ȳⱼ)/4, 2|S|/(m|κ|)): the risk changes by
    −2|κγS| + m κ²γ²/2 < 0.  The j of the largest decrease is used.  (The paper's γ, a quarter of
    the gap, may increase the risk.) *Case J empty* (appendix A2): (u, u₀) is rotated slightly along
    one sample, which separates samples of equal predictions, by the minimizer of the exact
    quadratic in the rotation.

    The theorem requires distinct samples; only this case needs them.  Samples with equal inputs are
    merged there, with the sum of their errors.  If all these sums are 0, least squares predicts the
    mean label at each input, and no function has a lower risk.

    The case, and whether an affine function fits the data, are decided in rational arithmetic.
    Floats are rationals: labels computed as Wx in floats are in general not fitted exactly; data
    whose least-squares risk one rounding error for each label can explain are rejected.

    **Arguments:**

    - `x`, (N, inputs), and `y`, (N,): see `exact_samples`; no affine function fits them.
    - `activation`: one with slopes s₊ > 0, s₋ ≥ 0, s₊ ≠ s₋, or the pair (s₊, s₋).
    - `width`: at least 2.
    - `alpha`: α > 0; `place`: index of the neuron of the minimum that computes the least squares.

    **Returns:** a `SpuriousMinimum`.

    **Raises:** `TypeError` or `ValueError` if an argument is not as described, or float64 is off.

    Source: YSJ19, theorem 1 and appendix A2.

    ```python
    >>> import numpy as np
    >>> x, y = np.array([[-1.0], [0.0], [1.0]]), np.array([1.0, 0.0, 1.0])
    >>> found = spurious_minimum(x, y)
    >>> found.least_squares_risk, found.case, float(found.better_risk)
    (1/3, 'J empty', 0.3216374269)
    >>> found.exact_minimum.risk(exact_samples(x, y))
    1/3

    ```
    """
    known = _checked_activation(activation)
    plus, minus = rational_slopes(known)
    if width < 2:
        raise ValueError(f"width is {width}; it must be at least 2")
    if not 0 < alpha < math.inf:
        raise ValueError(f"alpha is {alpha}; it must be a positive number")
    if not 0 <= place < width:
        raise ValueError(f"place is {place}; it must be a neuron's, from 0 to {width - 1}")
    samples = _checked_samples(x, y)
    fit = _fit(samples)
    risk = sum((e * e for e in fit.errors), fmpq(0)) / 2
    if risk == 0:
        raise ValueError(
            "y is a linear function of x, exactly; theorem 1 needs data that none fits"
        )
    if not _SMALLEST < risk < 1 / _SMALLEST:
        raise ValueError(
            "y has a least-squares risk beyond float64; scale it to numbers of order 1"
        )
    if _has_floats(x, y) and _is_rounding(samples, fit, risk):
        raise ValueError(
            "float64 cannot hold the networks of these data to their risks: y is a linear function "
            f"of x up to rounding, the least squares leave {float(risk):.3g}; give decimals as "
            "they are written, or Fractions where these digits are meant"
        )
    kappa = (plus - minus) / (plus + minus)
    bend, case = _between_predictions(fit, kappa), "J"
    if bend is None:
        bend, case = _along_a_sample(samples, fit, kappa), "J empty"
    minimum = _minimum(fit, known, width, rational(alpha), place)
    better = _bent(bend, known, width)
    near, lower = minimum.nearest(), better.nearest()
    risks = [RationalNetwork.of(net).risk(samples) for net in (near, lower)]
    if not (risks[0] - risk <= risk * _ROUNDED and risks[1] < risk):
        near = lower = None
        risks = [risk, better.risk(samples)]
    return SpuriousMinimum(risk, near, risks[0], minimum, lower, risks[1], better, case, samples)


def _checked_activation(activation: Any) -> Activation:
    pair = isinstance(activation, tuple)
    known = activations.leaky(*activation) if pair else activations.named(activation)
    slopes = known.slopes
    if slopes is not None:
        if not (0 < slopes[0] < math.inf and 0 <= slopes[1] < math.inf):
            raise ValueError(f"activation has the slopes {slopes}; they must be s+ > 0, s- >= 0")
        if slopes[0] == slopes[1]:
            raise ValueError(f"activation has the slopes {slopes}; s+ and s- must differ")
    return known


def _checked_samples(x: Any, y: Any) -> Samples:
    samples = exact_samples(x, y)
    if samples.labels.ncols() != 1:
        raise ValueError(f"y has {samples.labels.ncols()} outputs; theorem 1 is for one")
    count = samples.rows.nrows()
    if len(set(_keys(samples))) == count < 3:
        raise ValueError(
            f"x has {count} samples, which a linear function fits; theorem 1 needs at least 3"
        )
    return samples


def _keys(samples: Samples) -> list[tuple[fmpq, ...]]:
    """Return the inputs of each sample as a hashable key."""
    return [tuple(row) for row in samples.rows.tolist()]


def _has_floats(x: Any, y: Any) -> bool:
    tables = np.asarray(x), np.asarray(y)
    return any(
        table.dtype.kind == "f"
        or (table.dtype == object and any(isinstance(entry, float) for entry in table.flat))
        for table in tables
    )


def _is_rounding(samples: Samples, fit: _Fit, risk: fmpq) -> bool:
    """Check whether one rounding error per label could cause this risk.

    The error of a label is relative to the sum of |W̄ₖxᵢₖ|, |W̄₀| and |yᵢ|.
    """
    terms = [
        abs(y) + sum((abs(w * t) for w, t in zip(fit.line, row, strict=True)), fmpq(0))
        for y, row in zip(samples.labels.entries(), samples.rows.tolist(), strict=True)
    ]
    return 2 * risk <= _EPS**2 * _dot(terms, terms)


def _fit(samples: Samples) -> _Fit:
    line = least_squares(samples.rows, samples.labels)
    fitted = samples.rows * line
    errors = fitted - samples.labels
    return _Fit(line.entries(), fitted.entries(), errors.entries())


def _minimum(
    fit: _Fit, activation: Activation, width: int, alpha: fmpq, place: int
) -> RationalNetwork:
    eta = min(fmpq(-1), 2 * min(fit.fitted))
    constant = [fmpq(0)] * (len(fit.line) - 1) + [-alpha * eta]
    inner = [constant] * width
    inner[place] = [alpha * w for w in fit.line]
    inner[place][-1] -= alpha * eta
    outer = [fmpq(0)] * width + [eta]
    outer[place] = 1 / (alpha * rational_slopes(activation)[0])
    return RationalNetwork(fmpq_mat(inner), fmpq_mat([outer]), activation)


def _bent(bend: _Bend, activation: Activation, width: int) -> RationalNetwork:
    up, down = list(bend.line), [-w for w in bend.line]
    up[-1] += bend.gamma - bend.beta
    down[-1] += bend.gamma + bend.beta
    weight = 1 / sum(rational_slopes(activation), fmpq(0))
    idle = width - 2
    return RationalNetwork(
        fmpq_mat([up, down] + [[fmpq(0)] * len(up)] * idle),
        fmpq_mat([[weight, -weight, *[fmpq(0)] * idle, bend.beta]]),
        activation,
    )


def _between_predictions(fit: _Fit, kappa: fmpq) -> _Bend | None:
    """Return the better network of the largest decrease in case J; `None` if J is empty."""
    order = sorted(range(len(fit.fitted)), key=fit.fitted.__getitem__)
    best, total, least = None, fmpq(0), fmpq(0)
    for before, after in pairwise(order):
        total += fit.errors[before]
        gap = fit.fitted[after] - fit.fitted[before]
        if total == 0 or gap == 0:
            continue
        gamma = min(gap / 4, 2 * abs(total) / (len(order) * abs(kappa)))
        change = len(order) * (kappa * gamma) ** 2 / 2 - 2 * abs(kappa * total) * gamma
        if change < least:
            least = change
            middle = (fit.fitted[before] + fit.fitted[after]) / 2
            best = _Bend(fit.line, middle, gamma if total * kappa > 0 else -gamma)
    return best


def _along_a_sample(samples: Samples, fit: _Fit, kappa: fmpq) -> _Bend:
    """Return the better network if J is empty: a rotated line separates samples of one prediction.

    Then the errors of all samples with a prediction ȳ sum to 0 (lemma A.1).  Let eᵢ be the sum of
    the errors of all samples with the inputs xᵢ, y* the least ȳ of samples with eᵢ other than 0, x₁
    the longest such sample, J< the other samples at y* with x₁·x < ‖x₁‖², x₂ the one of them with
    the largest x₁·x, and v = τx₁, τ > 0.  With u = W̄ − αv,
    β = y* − (α/2) v·(x₁ + x₂) and |γ| = α v·(x₁ − x₂)/4 only the samples of J< among those at y*
    lie above β, and the risk is the exact quadratic ½ Σ (ȳᵢ − yᵢ + αcᵢ)² with
    cᵢ = −v·xᵢ ∓ κγ/α: its derivative at 0 is −2|κ e₁| |γ|/α, and its minimum at
    −Σ(ȳᵢ − yᵢ)cᵢ/Σcᵢ².

    The order of samples of different ȳ must not change: α|v·xᵢ| ≤ g, a quarter of the least gap,
    which bounds α.  (The paper has τ = g/(M‖x₁‖), M = max ‖xᵢ‖; this τ is rational, and larger.)
    If all ȳ are equal there is no gap and no such bound: τ = 1.

    Source: YSJ19, appendix A2.
    """
    x = [row[:-1] for row in samples.rows.tolist()]
    sums = _summed(samples, fit)
    bottom = min(f for f, e in zip(fit.fitted, sums, strict=True) if e != 0)
    tied = [i for i, f in enumerate(fit.fitted) if f == bottom]
    first = max((i for i in tied if sums[i] != 0), key=lambda i: _dot(x[i], x[i]))
    along = [_dot(x[first], row) for row in x]
    second = max((i for i in tied if along[i] < along[first]), key=along.__getitem__)
    gaps = [b - a for a, b in pairwise(sorted(set(fit.fitted)))]
    tau = min(gaps) / 4 / max(map(abs, along)) if gaps else fmpq(1)
    push = tau * (along[first] - along[second]) / 4
    push *= 1 if sums[first] * kappa > 0 else -1
    below = [
        f < bottom or (f == bottom and a >= along[first])
        for f, a in zip(fit.fitted, along, strict=True)
    ]
    moves = [
        -tau * a + (-kappa * push if low else kappa * push)
        for a, low in zip(along, below, strict=True)
    ]
    alpha = -_dot(fit.errors, moves) / _dot(moves, moves)
    if gaps:
        alpha = min(alpha, fmpq(1))
    turned = [w - alpha * tau * c for w, c in zip(fit.line, [*x[first], fmpq(0)], strict=True)]
    beta = bottom - alpha * tau * (along[first] + along[second]) / 2
    return _Bend(turned, beta, alpha * push)


def _summed(samples: Samples, fit: _Fit) -> list[fmpq]:
    """Return, for each sample, the sum of the errors of all samples with its inputs.

    **Raises:** `ValueError` if all are 0.
    """
    keys = _keys(samples)
    total = dict.fromkeys(keys, fmpq(0))
    for key, error in zip(keys, fit.errors, strict=True):
        total[key] += error
    if not any(total.values()):
        seen: dict[tuple[fmpq, ...], int] = {}
        other, i = next(
            (seen[key], i) for i, key in enumerate(keys) if seen.setdefault(key, i) != i
        )
        raise ValueError(
            f"x has the same inputs in samples {other + 1} and {i + 1}, counted from 1, and the "
            "least squares predict the mean label at each of its inputs: no function of x has a "
            "lower risk"
        )
    return [total[key] for key in keys]


def _dot(a: list[fmpq], b: list[fmpq]) -> fmpq:
    return sum((s * t for s, t in zip(a, b, strict=True)), fmpq(0))

"""Spurious minima of an empirical risk, in rational arithmetic (YSJ19, theorem 1)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from flint import fmpq, fmpq_mat

from landscape_jax.mistakes import explained
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.rational_claim import RationalClaim, checked, dot, shown, times, versions
from landscape_jax.proofs.rational_file import Shapes, check_shapes


class Layers(NamedTuple):
    """A network q(x) = Σ_j v_j h(w_j·x + b_j) + b of one output, in rational numbers.

    - `inner`: the rows (w_j, b_j), (neurons, inputs + 1); `outer`: (v, b), (neurons + 1,).
    """

    inner: fmpq_mat
    outer: tuple[fmpq, ...]


@dataclass(frozen=True, eq=False, repr=False)
class SpuriousOnData(RationalClaim):
    """A local minimum of an empirical risk that is not global, and a network of lower risk.

    The risk is ½ Σᵢ (q(xᵢ) − yᵢ)², q(x) = Σ_j v_j h(w_j·x + b_j) + b, h(t) = s₊t for t > 0 and
    s₋t for t ≤ 0, of networks with the width of both.

    - `x`, (samples, inputs); `y`, (samples,); `slopes`: (s₊, s₋).
    - `inner`, `outer`: the minimum, see `Layers`; `risk`: its risk.
    - `better_inner`, `better_outer`, `better_risk`: the better network, and its risk.
    """

    KIND: ClassVar[str] = "spurious minimum on data"
    SHAPES: ClassVar[Shapes] = {
        "x": "samples inputs",
        "y": "samples",
        "slopes": "2",
        "inner": "neurons inputs+1",
        "outer": "neurons+1",
        "risk": "",
        "better_inner": "neurons inputs+1",
        "better_outer": "neurons+1",
        "better_risk": "",
    }

    x: fmpq_mat
    y: tuple[fmpq, ...]
    slopes: tuple[fmpq, ...]
    inner: fmpq_mat
    outer: tuple[fmpq, ...]
    risk: fmpq
    better_inner: fmpq_mat
    better_outer: tuple[fmpq, ...]
    better_risk: fmpq
    versions: dict[str, str] = field(default_factory=versions)

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        samples, inputs = self.x.nrows(), self.x.ncols()
        plus, minus = map(shown, self.slopes)
        return (
            f"The empirical risk 1/2 sum (q(x_i) - y_i)^2 of networks with one hidden layer of "
            f"{self.inner.nrows()} neurons with biases, of slope {plus} above 0 and {minus} below, "
            f"on {samples} samples x_i in R^{inputs} has a local minimum of risk "
            f"{shown(self.risk)} that is not global: another such network has risk "
            f"{shown(self.better_risk)}; SHA-256 of the samples and networks {self.digest}."
        )

    def objections(self) -> Iterator[str]:
        """Yield what is not proven.

        Where no w_j·xᵢ + b_j is 0, the slopes s_ij do not change near the network, and there the
        outputs are linear in the R_j = v_j (w_j, b_j) and b: q(xᵢ) = Σ_j s_ij R_j·(xᵢ, 1) + b.  If
        the errors e = q − y are orthogonal to all of these functions, Σᵢ eᵢ s_ij (xᵢ, 1) = 0 and
        Σᵢ eᵢ = 0, then ‖e + δq‖² = ‖e‖² + ‖δq‖² for the change δq of the outputs: a local minimum.
        """
        neurons, inputs = self.inner.nrows(), self.x.ncols()
        yield from self.too_large(2 * self.x.nrows() * (neurons + 1) * (inputs + 1))
        minimum = Layers(self.inner, self.outer)
        hidden = _hidden(self.x, minimum)
        if any(t == 0 for row in hidden for t in row):
            yield "a neuron's input is 0 at a sample: the network is not inside its cell."
        errors = _errors(self.x, self.y, self.slopes, minimum)
        if dot(errors, errors) / 2 != self.risk:
            yield "the minimum's risk is not the claimed one."
        plus, minus = self.slopes
        weighted = [
            [e * (plus if t > 0 else minus) for t in row]
            for e, row in zip(errors, hidden, strict=True)
        ]
        gradients = fmpq_mat(weighted).transpose() * _homogeneous(self.x)
        if any(t != 0 for t in gradients.entries()) or sum(errors, fmpq(0)) != 0:
            yield "the errors are not orthogonal to what the cell's networks can do."
        better = _errors(self.x, self.y, self.slopes, Layers(self.better_inner, self.better_outer))
        if dot(better, better) / 2 != self.better_risk:
            yield "the better network's risk is not the claimed one."
        if not self.better_risk < self.risk:
            yield "the better network's risk is not lower than the minimum's."


@explained
def prove_spurious_on_data(
    x: fmpq_mat,
    y: tuple[fmpq, ...],
    slopes: tuple[fmpq, fmpq],
    minimum: Layers,
    better: Layers,
) -> SpuriousOnData | NotProven:
    """Prove that a network is a local minimum of ½ Σᵢ (q(xᵢ) − yᵢ)², and another one better.

    **Arguments:** `x`, (samples, inputs); `y`, (samples,); `slopes`, (s₊, s₋) of the neurons;
    `minimum` and `better`, networks of one width.

    **Returns:** a `SpuriousOnData`, or `NotProven` with the reason.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or shape.

    Source: YSJ19, theorem 1.

    ```python
    >>> x, y = fmpq_mat(3, 1, [-1, 0, 1]), (fmpq(1), fmpq(0), fmpq(1))
    >>> flat = Layers(fmpq_mat(1, 2, [0, 1]), (fmpq(2, 3), fmpq(0)))
    >>> bent = Layers(fmpq_mat(1, 2, [1, 0]), (fmpq(1, 2), fmpq(1, 2)))
    >>> proof = prove_spurious_on_data(x, y, (fmpq(1), fmpq(0)), flat, bent)
    >>> proof.proven, proof.risk, proof.better_risk
    (True, 1/3, 1/4)

    ```
    """
    given: dict[str, fmpq_mat | tuple] = {"x": x, "y": y, "slopes": slopes}
    shapes = dict(SpuriousOnData.SHAPES)
    for name, layers in (("minimum", minimum), ("better", better)):
        for part, value in layers._asdict().items():
            given[f"{name}.{part}"], shapes[f"{name}.{part}"] = value, shapes[part]
    check_shapes(given, shapes)
    risks = [
        dot(errors, errors) / 2
        for errors in (_errors(x, y, slopes, layers) for layers in (minimum, better))
    ]
    return checked(SpuriousOnData(x, y, slopes, *minimum, risks[0], *better, risks[1]))


def _homogeneous(x: fmpq_mat) -> fmpq_mat:
    """Return the rows (xᵢ, 1)."""
    return fmpq_mat([[*row, fmpq(1)] for row in x.tolist()])


def _hidden(x: fmpq_mat, layers: Layers) -> list[list[fmpq]]:
    """Return the inputs of the neurons, (samples, neurons)."""
    return (_homogeneous(x) * layers.inner.transpose()).tolist()


def _errors(
    x: fmpq_mat, y: tuple[fmpq, ...], slopes: tuple[fmpq, ...], layers: Layers
) -> list[fmpq]:
    """Return the q(xᵢ) − yᵢ of a network."""
    plus, minus = slopes
    after = [
        [*(t * (plus if t > 0 else minus) for t in row), fmpq(1)] for row in _hidden(x, layers)
    ]
    return [q - label for q, label in zip(times(after, layers.outer), y, strict=True)]

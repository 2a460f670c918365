"""The arrays of a population risk that a proof reads: its teacher and both second layers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from flint import arb
from jaxtyping import Float

from landscape_jax.networks.realisation import realise
from landscape_jax.proofs.lipschitz import Sizes
from landscape_jax.proofs.pairs import Pairs, float_pairs


@dataclass(frozen=True)
class Problem:
    """The risk F(W) = ½ E(Σᵢ aᵢ relu(wᵢ·x) − Σⱼ bⱼ relu(vⱼ·x))², x ~ N(0, I), W of shape (n, d)."""

    teacher: Float[np.ndarray, "k d"]
    teacher_weights: Float[np.ndarray, " k"]
    student_weights: Float[np.ndarray, " n"]

    def balanced(self, units: Float[np.ndarray, " n"]) -> "Problem":
        """Return the problem of the neurons unitᵢ·wᵢ, whose second layer is aᵢ/unitᵢ."""
        return replace(self, student_weights=self.student_weights / units)

    def pairs(self, point: Float[np.ndarray, "n d"]) -> Pairs:
        """Enclose the angles at a point."""
        return float_pairs(point, self.student_weights, self.teacher, self.teacher_weights)

    def witness(self) -> Float[np.ndarray, "n d"] | None:
        """Return student weights with the teacher's function, up to rounding, if signs allow."""
        return realise(self.teacher, self.teacher_weights, self.student_weights)


def sizes(pairs: Pairs) -> Sizes:
    """Collect |aᵢ|, |wᵢ| and Σⱼ |bⱼ||vⱼ|."""
    n = pairs.students
    outer = [abs(c) for c in pairs.weights]
    teachers = sum((c * r for c, r in zip(outer[n:], pairs.norms[n:], strict=True)), arb(0))
    return Sizes(outer[:n], pairs.norms[:n], teachers)


def balancing_units(weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return powers of two by which to divide second-layer weights so that all have about one size.

    unitᵢ = 2^round(log₂(|aᵢ|/r)), r the median of |a| (the upper one), so |aᵢ/unitᵢ| is within a
    factor √2 of r.

    ```python
    >>> balancing_units(np.array([1.0, 1e3, -1e-3])), balancing_units(np.full(2, 0.3))
    (array([1.00000000e+00, 1.02400000e+03, 9.76562500e-04]), array([1., 1.]))

    ```
    """
    sizes = np.log2(np.abs(weights))
    reference = np.sort(sizes)[len(sizes) // 2]
    return np.ldexp(1.0, np.round(sizes - reference).astype(int))


def read_problem(risk: Any, point: Float[np.ndarray, "n d"], name: str = "W") -> Problem:
    """Read a ReLU population risk, exactly: float32 and float64 are both float64.

    **Arguments:** `risk`, anything with `teacher` (k, d), `teacher_weights` (k,),
    `student_weights` (n,) or `None` for ones, and `activation` "relu" or one with its `slopes`;
    `point`, which has to fit, and its `name` in errors.

    **Raises:** `TypeError` for anything else; `ValueError` for shapes that do not fit.
    """
    arrays = read_arrays(risk, len(point))
    rows, own = arrays["teacher"], arrays["student_weights"]
    neurons, dim = point.shape
    if len(own) != neurons:
        raise ValueError(
            f"the risk has {len(own)} student weights, but {name} has {neurons} neurons."
        )
    if rows.shape[1] != dim:
        raise ValueError(f"{name} has neurons in R^{dim}, the teacher's are in R^{rows.shape[1]}.")
    if point.size == 0 or len(rows) == 0:
        raise ValueError(
            f"{name} and the teacher must have at least one neuron and one coordinate."
        )
    if len(arrays["teacher_weights"]) != len(rows):
        raise ValueError("teacher_weights must have one entry for each of the teacher's neurons.")
    return Problem(**arrays)


def read_arrays(risk: Any, neurons: int) -> dict[str, Float[np.ndarray, "..."]]:
    """Read the arrays of a ReLU population risk for a number of students, whatever their sizes.

    **Returns:** the arrays of `Problem` by name.

    **Raises:** `TypeError` for another risk; `ValueError` for a wrong number of axes.
    """
    try:
        teacher, outer = risk.teacher, risk.teacher_weights
        weights, activation = risk.student_weights, risk.activation
    except AttributeError:
        raise TypeError(
            f"risk is a {type(risk).__name__}; proofs are for population risks: pass a "
            "PopulationRisk."
        ) from None
    if activation != "relu" and getattr(activation, "slopes", None) != (1.0, 0.0):
        name = getattr(activation, "name", activation)
        raise TypeError(f"proofs are for a risk of activation 'relu', not of {name!r}.")
    own = np.ones(neurons) if weights is None else float64(weights, 1, "student_weights")
    return {
        "teacher": float64(teacher, 2, "teacher"),
        "teacher_weights": float64(outer, 1, "teacher_weights"),
        "student_weights": own,
    }


def float64(array: Any, rank: int, name: str) -> Float[np.ndarray, "..."]:
    """Copy a floating array to float64.

    **Raises:** `TypeError` if it is not floating; `ValueError` for another number of axes.
    """
    try:
        raw = np.asarray(array)
    except ValueError:
        raise ValueError(f"{name} is not an array: its rows differ in length.") from None
    except TypeError:
        raise TypeError(f"{name} is not an array of numbers; give a floating array.") from None
    if raw.dtype.kind != "f" and raw.dtype.name != "bfloat16":
        raise TypeError(f"{name} has dtype {raw.dtype}; give a floating array, e.g. float64.")
    if raw.ndim != rank:
        raise ValueError(f"{name} must have {rank} axes, not {raw.ndim}.")
    return np.array(raw, np.float64)

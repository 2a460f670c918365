"""What a proof needs to know of a population risk: its teacher and both second layers."""

from dataclasses import dataclass
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

    def pairs(self, point: Float[np.ndarray, "n d"]) -> Pairs:
        """Enclose the angles at a point."""
        return float_pairs(point, self.student_weights, self.teacher, self.teacher_weights)

    def witness(self) -> Float[np.ndarray, "n d"] | None:
        """Give student weights with the teacher's function, up to rounding, where signs allow."""
        return realise(self.teacher, self.teacher_weights, self.student_weights)


def sizes(pairs: Pairs) -> Sizes:
    """Collect |aᵢ|, |wᵢ| and Σⱼ |bⱼ||vⱼ|."""
    n = pairs.students
    outer = [abs(c) for c in pairs.weights]
    teachers = sum((c * r for c, r in zip(outer[n:], pairs.norms[n:], strict=True)), arb(0))
    return Sizes(outer[:n], pairs.norms[:n], teachers)


def read_problem(risk: Any, point: Float[np.ndarray, "n d"]) -> Problem:
    """Read a ReLU population risk, exactly: float32 and float64 are both float64.

    **Arguments:** `risk`, anything with `teacher` (k, d), `teacher_weights` (k,),
    `student_weights` (n,) or `None` for ones, and `activation` "relu" or what has its `slopes`;
    `point`, which has to fit.

    **Raises:** `TypeError` for anything else; `ValueError` for shapes that do not fit.
    """
    try:
        teacher, outer = risk.teacher, risk.teacher_weights
        weights, activation = risk.student_weights, risk.activation
    except AttributeError:
        raise TypeError(
            f"proofs are for population risks, not for {type(risk).__name__}: "
            "pass a PopulationRisk."
        ) from None
    if activation != "relu" and getattr(activation, "slopes", None) != (1.0, 0.0):
        name = getattr(activation, "name", activation)
        raise TypeError(f"proofs are for the activation 'relu', not for {name!r}.")
    neurons, dim = point.shape
    own = np.ones(neurons) if weights is None else float64(weights, 1, "student_weights")
    rows, given = float64(teacher, 2, "teacher"), float64(outer, 1, "teacher_weights")
    if len(own) != neurons:
        raise ValueError(f"the risk has {len(own)} student weights, the point {neurons} neurons.")
    if rows.shape[1] != dim:
        raise ValueError(f"W has neurons in R^{dim}, the teacher's are in R^{rows.shape[1]}.")
    if point.size == 0 or len(rows) == 0:
        raise ValueError("W and the teacher must have at least one neuron and one coordinate.")
    if len(given) != len(rows):
        raise ValueError("teacher_weights must have one entry for each of the teacher's neurons.")
    return Problem(rows, given, own)


def float64(array: Any, rank: int, name: str) -> Float[np.ndarray, "..."]:
    """Copy a floating array to float64.

    **Raises:** `TypeError` where it is not floating; `ValueError` for another number of axes.
    """
    raw = np.asarray(array)
    if raw.dtype.kind != "f" and raw.dtype.name != "bfloat16":
        raise TypeError(f"{name} has dtype {raw.dtype}; give a floating array, e.g. float64.")
    if raw.ndim != rank:
        raise ValueError(f"{name} must have {rank} axes, not {raw.ndim}.")
    return np.array(raw, np.float64)

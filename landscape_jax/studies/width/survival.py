"""What becomes of a minimum of n students when a neuron is added to them."""

from collections import Counter
from dataclasses import dataclass
from typing import Any, SupportsIndex

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.arrays import checked, count
from landscape_jax.critical.classify import eigenvalue_tolerance
from landscape_jax.critical.first_order import least_growth
from landscape_jax.critical.spectra import spectrum
from landscape_jax.mistakes import explained, require
from landscape_jax.objectives.base import gradient, hessian
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.objectives.protocols import smooth_radius
from landscape_jax.search.restarts import restart

# Descents from a split begin at this share of the shortest neuron's length.
_NUDGE = 0.02


@dataclass(frozen=True)
class Split:
    """A minimum with neuron i replaced by two halves of it, (w) → (w/2, w/2).

    - `neuron`: i.  `index`: negative eigenvalues of the Hessian there, `flat`: those that are zero
      within rounding, among them that of the share, along (w, −w); `least`: the smallest.
    - `ends`: the values at which descents along the eigenvector of `least` end, one a direction.
    """

    neuron: int
    index: int
    flat: int
    least: float
    ends: tuple[float, float]


@dataclass(frozen=True)
class Survival:
    """What becomes of a minimum W of a relu risk when a neuron is added.

    - `restart`, `value`: of the run that it is the end of, and the value there.
    - `growth`: the rate at which the risk falls, at most, as a neuron grows from 0: min over unit
      vectors u of the derivative along (W, 0 + tu), see `least_growth`.  There is no Hessian at a
      zero neuron; where the rate is negative the point (W, 0) is no minimum.
    - `splits`: every neuron split in halves.  Such a point is critical, as
      relu(cw·x) + relu((1 − c)w·x) = relu(w·x): the gradient of each half is the old neuron's.
    """

    restart: int
    value: float
    growth: float
    splits: tuple[Split, ...]

    def ends(self, digits: int = 6) -> Counter[float]:
        """Count the values at which the descents from all splits end, rounded."""
        return Counter(round(value, digits) for split in self.splits for value in split.ends)

    @classmethod
    def of_json(cls, known: dict[str, Any]) -> "Survival":
        """Return what `dataclasses.asdict` has written."""
        rest = dict(known)
        splits = [Split(**each | {"ends": tuple(each["ends"])}) for each in rest.pop("splits")]
        return cls(**rest, splits=tuple(splits))


@explained
def survival(
    risk: PopulationRisk,
    W: Float[Array | np.ndarray, "neurons dim"],
    *,
    restart_index: SupportsIndex = 0,
    below_value: float | None = None,
) -> Survival:
    """Add a neuron to a minimum of a relu risk in every way that keeps the function, and descend.

    **Arguments:** `risk`, whose students all have weight 1; `W`, a minimum without zero neurons;
    `restart_index`, which names it in the result; `below_value`, at which descents stop.

    **Returns:** a `Survival`.

    **Raises:** `TypeError` or `ValueError` if the risk is no such, or W does not fit it, is not
    finite or has a neuron of length 0.

    Source: Safran, Yehudai and Shamir 2021, that the added neuron leaves no minimum.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> from landscape_jax.studies.width import survival
    >>> jax.config.update("jax_enable_x64", True)
    >>> risk = lj.PopulationRisk(jnp.eye(2))
    >>> W = lj.restart(risk, jnp.ones((1, 1, 2)), 1).params[0]
    >>> fate = survival(risk, W, below_value=1e-3)
    >>> fate.growth < 0, fate.splits[0].index, fate.splits[0].flat, max(fate.splits[0].ends) < 1e-3
    (True, 1, 1, True)

    ```
    """
    require("risk", risk, PopulationRisk)
    if risk.activation.name != "relu":
        raise ValueError(f"risk has the activation {risk.activation.name}; give one of relu")
    if risk.student_weights is not None:
        raise ValueError("risk has student_weights; leave them out, as for weights of 1")
    W = np.asarray(checked("W", W, 2, "(neurons, dim)"))
    if not W.any(axis=1).all():
        raise ValueError("W has a neuron of length 0; leave it out")
    if not np.isfinite(gradient(risk, jnp.asarray(W))).all():
        raise ValueError("W has neurons so long that the risk overflows; give a minimum")
    grown = jnp.asarray(np.vstack([W, np.zeros((1, W.shape[1]))]))
    zero = jnp.arange(len(grown)) == len(W)
    halves = np.stack([_halved(W, i) for i in range(len(W))])
    found, starts = [], []
    for point in jnp.asarray(halves):
        eigenvalues = np.asarray(spectrum(risk, point))
        slope = float(np.linalg.norm(gradient(risk, point)))
        radius = float(smooth_radius(risk, point))
        zeros = eigenvalue_tolerance(eigenvalues, slope, radius)
        lowest = np.linalg.eigh(np.asarray(hessian(risk, point)))[1][:, 0].reshape(point.shape)
        found.append((eigenvalues, zeros))
        starts += [point + sign * _NUDGE * radius * lowest for sign in (1, -1)]
    runs = restart(risk, jnp.stack(starts), len(starts), below_value=below_value)
    ends = np.asarray(runs.value, np.float64).reshape(-1, 2)
    splits = tuple(
        Split(
            neuron=i,
            index=int((eigenvalues < -zeros).sum()),
            flat=int((np.abs(eigenvalues) <= zeros).sum()),
            least=float(eigenvalues[0]),
            ends=(float(ends[i, 0]), float(ends[i, 1])),
        )
        for i, (eigenvalues, zeros) in enumerate(found)
    )
    growth = least_growth(risk, grown, zero)
    return Survival(
        count("restart_index", restart_index, 0), float(risk(jnp.asarray(W))), growth, splits
    )


def _halved(W: np.ndarray, neuron: int) -> np.ndarray:
    """Return W with a neuron split in halves, of which one is added last."""
    halved = np.vstack([W, W[neuron] / 2])
    halved[neuron] /= 2
    return halved

"""Which students descend: their activation, which layers are trained, how large they begin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
from jaxtyping import Array

from landscape_jax.arrays import positive
from landscape_jax.networks import TwoLayer
from landscape_jax.networks.activations import named
from landscape_jax.objectives.joint import JointRisk
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.search import starts
from landscape_jax.studies.ss18.protocol import (
    BELOW_VALUE,
    GRADIENT_TOLERANCE,
    Size,
    key,
    tag,
)
from landscape_jax.sweeps.chunks import Search

Trained = Literal["first", "both"]
Precision = Literal["float64", "float32"]
# Values at which steps are counted.
LEVELS = (1e-1, 1e-2, 1e-3)


@dataclass(frozen=True)
class Students:
    """The students of one study, under k orthonormal teachers of weight 1.

    - `activation`: of students and teachers, by name.
    - `trained`: "first", the first layer w, the second being 1; or "both", for relu.
    - `scale`: w ~ N(0, scale² I/k), and a ~ N(0, scale² I/n) where it is trained.
    - `precision`: of the descents; runs of float32 are finished in float64 on the CPU.
    """

    activation: str = "relu"
    trained: Trained = "first"
    scale: float = 1.0
    precision: Precision = "float64"

    def __post_init__(self) -> None:
        named(self.activation)
        if self.trained not in ("first", "both"):
            raise ValueError(f"trained is {self.trained!r}; it must be 'first' or 'both'")
        if self.precision not in ("float64", "float32"):
            raise ValueError(f"precision is {self.precision!r}; it must be 'float64' or 'float32'")
        if self.trained == "both" and self.activation != "relu":
            raise ValueError(
                f"trained is 'both' with the activation {self.activation!r}; both layers are "
                "trained for 'relu' only"
            )
        if isinstance(positive("scale", self.scale), Array):
            raise TypeError("scale is traced; give a number")

    @property
    def threshold(self) -> float | None:
        """The value below which a run stops, SS18's for relu; `None` for other activations."""
        return BELOW_VALUE if self.activation == "relu" else None

    def objective(self, k: int) -> PopulationRisk | JointRisk:
        """Return the risk of k orthonormal teachers."""
        kind = PopulationRisk if self.trained == "first" else JointRisk
        return kind(jnp.eye(k), activation=self.activation)

    def search(self, size: Size, seed: int) -> Search:
        """Return the search of one size; with relu, "first" and scale 1 its runs are SS18's."""
        k, n = size
        given: dict[str, Any] = {"scale": self.scale / math.sqrt(k), "dtype": self.precision}
        start = starts.gaussian((n, k), **given)
        if self.trained == "both":
            given["scale"] = self.scale
            start = starts.network(TwoLayer, (k, n, 1), bias=False, **given)
        shared = {"below_value": self.threshold, "levels": LEVELS}
        exact = shared | {"gradient_tolerance": GRADIENT_TOLERANCE}
        whole = self.precision == "float64"
        return Search(
            self.objective(k),
            start,
            key(size, seed),
            exact if whole else shared,
            folder=f"runs/scale{self.scale:g}-{tag(size)}",
            on_host=None if whole else exact,
        )


def checked_scales(scales: Sequence[float]) -> tuple[float, ...]:
    """Check the scales of a study.

    **Raises:** `ValueError` if there are none, or one is not positive or given twice.
    """
    found = tuple(float(positive("scales", scale)) for scale in scales)
    if not found:
        raise ValueError("scales is empty; give at least one, such as 1.0")
    if len(set(found)) < len(found):
        raise ValueError(f"scales is {scales}; give each scale once")
    return found

"""Kawaguchi & Kaelbling 2020 (KK20): figure 1.

- `valley`: the data and the drawing of figure 1, and `FIGURES`, which the command draws.
"""

from landscape_jax.public_names import listing
from landscape_jax.studies.kk20.valley import FIGURES as FIGURES
from landscape_jax.studies.kk20.valley import augmented_valley as augmented_valley
from landscape_jax.studies.kk20.valley import figure_1 as figure_1

__dir__ = listing(__name__)

"""Liu 2020 (LIU): figures 2, 4 and A4.

- `two_samples`: figure 2, the landscape of one neuron on two samples: data and drawing.
- `trapping_data`, `trapping_curves`: figures 4 and A4, the probability that parallel weights are at
  a local minimum: data and drawing.
- `liu20_figures`: `FIGURES`, the figures that the command draws, by name.
"""

from landscape_jax.public_names import listing
from landscape_jax.studies.liu20.liu20_figures import FIGURES as FIGURES
from landscape_jax.studies.liu20.trapping_curves import (
    both_moved_probability as both_moved_probability,
)
from landscape_jax.studies.liu20.trapping_curves import moved_loss as moved_loss
from landscape_jax.studies.liu20.trapping_curves import moved_probability as moved_probability
from landscape_jax.studies.liu20.trapping_curves import shifted_probability as shifted_probability
from landscape_jax.studies.liu20.trapping_data import figure_4a as figure_4a
from landscape_jax.studies.liu20.trapping_data import figure_4b as figure_4b
from landscape_jax.studies.liu20.trapping_data import figure_4c as figure_4c
from landscape_jax.studies.liu20.trapping_data import figure_a4a as figure_a4a
from landscape_jax.studies.liu20.trapping_data import figure_a4b as figure_a4b
from landscape_jax.studies.liu20.two_samples import figure_2 as figure_2
from landscape_jax.studies.liu20.two_samples import two_landscapes as two_landscapes

__dir__ = listing(__name__)

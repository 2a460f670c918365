"""Liu 2020: a landscape cell by cell, and how likely it is to be trapped in a local minimum."""

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
from landscape_jax.studies.liu20.two_samples import two_landscapes as two_landscapes
from landscape_jax.studies.liu20.two_samples_data import figure_2 as figure_2

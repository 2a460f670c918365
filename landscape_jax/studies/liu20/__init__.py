"""Liu 2020: a landscape cell by cell, and how likely it is to be trapped in a local minimum."""

from landscape_jax.studies.liu20.trapping import figure_4a as figure_4a
from landscape_jax.studies.liu20.trapping import figure_4b as figure_4b
from landscape_jax.studies.liu20.trapping import figure_4c as figure_4c
from landscape_jax.studies.liu20.trapping import figure_a4a as figure_a4a
from landscape_jax.studies.liu20.trapping import figure_a4b as figure_a4b
from landscape_jax.studies.liu20.two_samples import figure_2 as figure_2

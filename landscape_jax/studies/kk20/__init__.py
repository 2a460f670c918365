"""Kawaguchi & Kaelbling 2020: where added neurons remove bad local minima, and where they fail."""

from landscape_jax.studies.kk20.valley import augmented_valley as augmented_valley
from landscape_jax.studies.kk20.valley_data import figure_1 as figure_1

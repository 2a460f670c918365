"""Kawaguchi & Kaelbling 2020: where added neurons remove bad local minima, and where they fail."""

from landscape_jax.studies.kk20.figure import figure_1 as figure_1

"""Labelled data in, matplotlib axes out."""

from landscape_jax.plots.end_values import value_distribution as value_distribution
from landscape_jax.plots.saving import save as save

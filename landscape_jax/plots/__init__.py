"""Labelled data in, matplotlib axes out."""

from landscape_jax.plots.augmentation import augmented_valley as augmented_valley
from landscape_jax.plots.distribution import value_distribution as value_distribution
from landscape_jax.plots.saving import save as save

"""Labelled data in, matplotlib axes out."""

from landscape_jax.plots.augmentation import augmented_valley as augmented_valley
from landscape_jax.plots.distribution import value_distribution as value_distribution
from landscape_jax.plots.saving import save as save
from landscape_jax.plots.trapping import both_moved_probability as both_moved_probability
from landscape_jax.plots.trapping import moved_loss as moved_loss
from landscape_jax.plots.trapping import moved_probability as moved_probability
from landscape_jax.plots.trapping import shifted_probability as shifted_probability
from landscape_jax.plots.two_samples import two_landscapes as two_landscapes

"""Labelled data in, matplotlib axes out."""

from landscape_jax.plots.augmentation import augmented_valley as augmented_valley
from landscape_jax.plots.basin_shares import basin_shares as basin_shares
from landscape_jax.plots.distribution import value_distribution as value_distribution
from landscape_jax.plots.four_minima import four_minima as four_minima
from landscape_jax.plots.neuron_minima import neuron_minima as neuron_minima
from landscape_jax.plots.noisy_regions import noisy_regions as noisy_regions
from landscape_jax.plots.regions import region_partition as region_partition
from landscape_jax.plots.saving import save as save
from landscape_jax.plots.surrogate import surrogate as surrogate
from landscape_jax.plots.trapping import both_moved_probability as both_moved_probability
from landscape_jax.plots.trapping import moved_loss as moved_loss
from landscape_jax.plots.trapping import moved_probability as moved_probability
from landscape_jax.plots.trapping import shifted_probability as shifted_probability
from landscape_jax.plots.two_samples import two_landscapes as two_landscapes

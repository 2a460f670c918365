"""Rational numbers: samples, ranks, directions and coordinates, without rounding."""

from landscape_jax.exact.samples import Samples as Samples
from landscape_jax.exact.samples import exact_samples as exact_samples

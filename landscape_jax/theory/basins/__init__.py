"""Basins of two-layer ReLU networks: regions of starts, and the least loss in each."""

from landscape_jax.theory.basins.patterns import region_patterns as region_patterns
from landscape_jax.theory.basins.values import BasinValues as BasinValues
from landscape_jax.theory.basins.values import basin_values as basin_values

"""Safran & Shamir 2016 (SS16): basins of random initializations, and figures 1 to 6.

The basin of an initialization is the closed region of its activation pattern, see `theory.basins`.

- `start_basins`: basin values of random initializations; `shares`, `level_shares`: F_n(ε), the
  share of them of value at most ε.
- `theorems`: F_n(ε) beside the bounds of theorems 2, 5, 7 and 8; `basin_shares`: its drawing.
- `first_layer_descents`: gradient descent of the first layer, beside basin values.
- `partitions`: data of figures 1 and 2; `noisy_regions`: their drawings.
- `one_neuron`: data of figures 3 to 6; `neuron_minima`, `four_minima`, `surrogate`: their drawings.
- `ss16_figures`: `FIGURES`, the figures that the command draws, by name.
"""

from landscape_jax.public_names import listing
from landscape_jax.studies.ss16.basin_shares import basin_shares as basin_shares
from landscape_jax.studies.ss16.first_layer_descents import Walk as Walk
from landscape_jax.studies.ss16.first_layer_descents import descended as descended
from landscape_jax.studies.ss16.first_layer_descents import walked as walked
from landscape_jax.studies.ss16.four_minima import four_minima as four_minima
from landscape_jax.studies.ss16.level_shares import default_levels as default_levels
from landscape_jax.studies.ss16.level_shares import distribution as distribution
from landscape_jax.studies.ss16.level_shares import to_json as to_json
from landscape_jax.studies.ss16.neuron_minima import neuron_minima as neuron_minima
from landscape_jax.studies.ss16.noisy_regions import noisy_regions as noisy_regions
from landscape_jax.studies.ss16.noisy_regions import region_partition as region_partition
from landscape_jax.studies.ss16.one_neuron import figure_3 as figure_3
from landscape_jax.studies.ss16.one_neuron import figure_4 as figure_4
from landscape_jax.studies.ss16.one_neuron import figure_5 as figure_5
from landscape_jax.studies.ss16.one_neuron import figure_6 as figure_6
from landscape_jax.studies.ss16.partitions import figure_1 as figure_1
from landscape_jax.studies.ss16.partitions import figure_2 as figure_2
from landscape_jax.studies.ss16.shares import DecidedShare as DecidedShare
from landscape_jax.studies.ss16.shares import share_at_most as share_at_most
from landscape_jax.studies.ss16.ss16_figures import FIGURES as FIGURES
from landscape_jax.studies.ss16.start_basins import Basins as Basins
from landscape_jax.studies.ss16.start_basins import basins_of_starts as basins_of_starts
from landscape_jax.studies.ss16.start_basins import value_at_zero as value_at_zero
from landscape_jax.studies.ss16.surrogate import surrogate as surrogate
from landscape_jax.studies.ss16.theorems import figure_f as figure_f
from landscape_jax.studies.ss16.theorems import theorem_2 as theorem_2
from landscape_jax.studies.ss16.theorems import theorem_5 as theorem_5
from landscape_jax.studies.ss16.theorems import theorem_7 as theorem_7
from landscape_jax.studies.ss16.theorems import theorem_8 as theorem_8

__dir__ = listing(__name__)

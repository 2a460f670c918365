"""Safran & Shamir 2016: how good the basins are that wide networks start in."""

from landscape_jax.studies.ss16.basins import Basins as Basins
from landscape_jax.studies.ss16.basins import basins_of_starts as basins_of_starts
from landscape_jax.studies.ss16.basins import value_at_zero as value_at_zero
from landscape_jax.studies.ss16.descents import Walk as Walk
from landscape_jax.studies.ss16.descents import descended as descended
from landscape_jax.studies.ss16.descents import walked as walked
from landscape_jax.studies.ss16.distribution import default_levels as default_levels
from landscape_jax.studies.ss16.distribution import distribution as distribution
from landscape_jax.studies.ss16.distribution import to_json as to_json
from landscape_jax.studies.ss16.neurons import figure_3 as figure_3
from landscape_jax.studies.ss16.neurons import figure_4 as figure_4
from landscape_jax.studies.ss16.neurons import figure_5 as figure_5
from landscape_jax.studies.ss16.neurons import figure_6 as figure_6
from landscape_jax.studies.ss16.partitions import figure_1 as figure_1
from landscape_jax.studies.ss16.partitions import figure_2 as figure_2
from landscape_jax.studies.ss16.shares import DecidedShare as DecidedShare
from landscape_jax.studies.ss16.shares import share_at_most as share_at_most
from landscape_jax.studies.ss16.theorems import figure_f as figure_f
from landscape_jax.studies.ss16.theorems import theorem_2 as theorem_2
from landscape_jax.studies.ss16.theorems import theorem_5 as theorem_5
from landscape_jax.studies.ss16.theorems import theorem_7 as theorem_7
from landscape_jax.studies.ss16.theorems import theorem_8 as theorem_8

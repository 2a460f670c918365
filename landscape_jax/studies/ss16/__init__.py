"""Safran & Shamir 2016: how good the basins are that wide networks start in."""

from landscape_jax.studies.ss16.basins import Basins as Basins
from landscape_jax.studies.ss16.basins import basins_of_starts as basins_of_starts
from landscape_jax.studies.ss16.basins import value_at_zero as value_at_zero
from landscape_jax.studies.ss16.distribution import default_levels as default_levels
from landscape_jax.studies.ss16.distribution import distribution as distribution
from landscape_jax.studies.ss16.distribution import to_json as to_json
from landscape_jax.studies.ss16.shares import DecidedShare as DecidedShare
from landscape_jax.studies.ss16.shares import share_at_most as share_at_most

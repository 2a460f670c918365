"""Parallel weight vectors: their local minima, and how often descent is trapped in one of them.

K parallel weights cut the line into K + 1 *regions*, each with one activation pattern (LIU: cell).
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.parallel_weights.line import parallel_network as parallel_network
from landscape_jax.theory.parallel_weights.mixture import Mixture as Mixture
from landscape_jax.theory.parallel_weights.mixture import mixture_minimum as mixture_minimum
from landscape_jax.theory.parallel_weights.mixture import mixture_system as mixture_system
from landscape_jax.theory.parallel_weights.sample_minima import SampleMinimum as SampleMinimum
from landscape_jax.theory.parallel_weights.sample_minima import sample_minimum as sample_minimum
from landscape_jax.theory.parallel_weights.sample_minima import sample_system as sample_system
from landscape_jax.theory.parallel_weights.trapping import Trapping as Trapping
from landscape_jax.theory.parallel_weights.trapping import trapping as trapping

__dir__ = listing(__name__)

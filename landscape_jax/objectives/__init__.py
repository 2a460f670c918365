"""Objectives: functions from parameters to a scalar loss."""

from landscape_jax.objectives.augmented import Augmented as Augmented
from landscape_jax.objectives.augmented import NeuronAugmented as NeuronAugmented
from landscape_jax.objectives.base import AbstractObjective as AbstractObjective
from landscape_jax.objectives.base import Known as Known
from landscape_jax.objectives.base import Symmetry as Symmetry
from landscape_jax.objectives.base import Units as Units
from landscape_jax.objectives.base import gradient as gradient
from landscape_jax.objectives.base import hessian as hessian
from landscape_jax.objectives.empirical import EmpiricalRisk as EmpiricalRisk
from landscape_jax.objectives.freeze import Frozen as Frozen
from landscape_jax.objectives.freeze import freeze as freeze
from landscape_jax.objectives.hidden_neurons import HiddenNeurons as HiddenNeurons
from landscape_jax.objectives.joint import JointRisk as JointRisk
from landscape_jax.objectives.monte_carlo import Estimate as Estimate
from landscape_jax.objectives.monte_carlo import MonteCarloRisk as MonteCarloRisk
from landscape_jax.objectives.monte_carlo import fresh_samples as fresh_samples
from landscape_jax.objectives.population import PopulationRisk as PopulationRisk
from landscape_jax.public_names import listing

__dir__ = listing(__name__)

"""Loss landscapes of shallow networks: descents, critical points, and proofs."""

from landscape_jax.critical import Family as Family
from landscape_jax.critical import families as families
from landscape_jax.critical import spectrum as spectrum
from landscape_jax.networks import DeepLinear as DeepLinear
from landscape_jax.networks import Mlp as Mlp
from landscape_jax.networks import TwoLayer as TwoLayer
from landscape_jax.networks import activations as activations
from landscape_jax.networks import criteria as criteria
from landscape_jax.objectives import AbstractObjective as AbstractObjective
from landscape_jax.objectives import Augmented as Augmented
from landscape_jax.objectives import EmpiricalRisk as EmpiricalRisk
from landscape_jax.objectives import MonteCarloRisk as MonteCarloRisk
from landscape_jax.objectives import NeuronAugmented as NeuronAugmented
from landscape_jax.objectives import PopulationRisk as PopulationRisk
from landscape_jax.objectives import freeze as freeze
from landscape_jax.objectives import gradient as gradient
from landscape_jax.objectives import hessian as hessian
from landscape_jax.proofs import Certificate as Certificate
from landscape_jax.proofs import NotProven as NotProven
from landscape_jax.proofs import prove_minima as prove_minima
from landscape_jax.proofs import prove_minimum as prove_minimum
from landscape_jax.proofs import verify as verify
from landscape_jax.search import Runs as Runs
from landscape_jax.search import Status as Status
from landscape_jax.search import restart as restart
from landscape_jax.search import starts as starts

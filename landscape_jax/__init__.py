"""Loss landscapes of shallow networks: descents, critical points, and proofs.

The command `landscape-jax names` lists every public name.  Docstrings cite five papers: SS18 is
Safran & Shamir 2018 (arXiv 1712.08968), KK20 Kawaguchi & Kaelbling 2020 (1901.00279), YSJ19 Yun,
Sra & Jadbabaie 2019 (1802.03487), LIU Liu 2020 (2002.04763), SS16 Safran & Shamir 2016
(1511.04210).

Each paper's normalization of the squared loss is kept in its place: `PopulationRisk` is
½ E(f(x) − g(x))²; `EmpiricalRisk` with the criterion "squared", `theory.cells` and `theory.basins`
have (1/N) Σᵢ ‖qᵢ − yᵢ‖²; `theory.constructions` has ½ Σᵢ ‖qᵢ − yᵢ‖².
"""

from typing import TYPE_CHECKING, Any

import landscape_jax.forks  # noqa: F401  (From here on a fork is noticed.)
from landscape_jax.public_names import lazy

if TYPE_CHECKING:
    from landscape_jax import cli as cli
    from landscape_jax import critical as critical
    from landscape_jax import exact as exact
    from landscape_jax import native as native
    from landscape_jax import networks as networks
    from landscape_jax import objectives as objectives
    from landscape_jax import plots as plots
    from landscape_jax import proofs as proofs
    from landscape_jax import search as search
    from landscape_jax import studies as studies
    from landscape_jax import sweeps as sweeps
    from landscape_jax import symmetric as symmetric
    from landscape_jax import theory as theory
    from landscape_jax.critical import Families as Families
    from landscape_jax.critical import Family as Family
    from landscape_jax.critical import barrier as barrier
    from landscape_jax.critical import critical_points as critical_points
    from landscape_jax.critical import extreme_eigenvalues as extreme_eigenvalues
    from landscape_jax.critical import families as families
    from landscape_jax.critical import index as index
    from landscape_jax.critical import indices as indices
    from landscape_jax.critical import sensitivity as sensitivity
    from landscape_jax.critical import slices as slices
    from landscape_jax.critical import spectral_density as spectral_density
    from landscape_jax.critical import spectrum as spectrum
    from landscape_jax.native import kernels as kernels
    from landscape_jax.networks import DeepLinear as DeepLinear
    from landscape_jax.networks import Mlp as Mlp
    from landscape_jax.networks import TwoLayer as TwoLayer
    from landscape_jax.networks import activations as activations
    from landscape_jax.networks import criteria as criteria
    from landscape_jax.objectives import AbstractObjective as AbstractObjective
    from landscape_jax.objectives import Augmented as Augmented
    from landscape_jax.objectives import EmpiricalRisk as EmpiricalRisk
    from landscape_jax.objectives import HiddenNeurons as HiddenNeurons
    from landscape_jax.objectives import JointRisk as JointRisk
    from landscape_jax.objectives import Known as Known
    from landscape_jax.objectives import MonteCarloRisk as MonteCarloRisk
    from landscape_jax.objectives import NeuronAugmented as NeuronAugmented
    from landscape_jax.objectives import PopulationRisk as PopulationRisk
    from landscape_jax.objectives import Units as Units
    from landscape_jax.objectives import freeze as freeze
    from landscape_jax.objectives import fresh_samples as fresh_samples
    from landscape_jax.objectives import gradient as gradient
    from landscape_jax.objectives import hessian as hessian
    from landscape_jax.proofs import Certificate as Certificate
    from landscape_jax.proofs import Claim as Claim
    from landscape_jax.proofs import Isotropy as Isotropy
    from landscape_jax.proofs import NotProven as NotProven
    from landscape_jax.proofs import PointCertificate as PointCertificate
    from landscape_jax.proofs import SplitCertificate as SplitCertificate
    from landscape_jax.proofs import SymmetricCertificate as SymmetricCertificate
    from landscape_jax.proofs import isotropy as isotropy
    from landscape_jax.proofs import prove_critical_point as prove_critical_point
    from landscape_jax.proofs import prove_minima as prove_minima
    from landscape_jax.proofs import prove_minimum as prove_minimum
    from landscape_jax.proofs import verify as verify
    from landscape_jax.search import Runs as Runs
    from landscape_jax.search import Status as Status
    from landscape_jax.search import finish_on_host as finish_on_host
    from landscape_jax.search import hybrid as hybrid
    from landscape_jax.search import restart as restart
    from landscape_jax.search import starts as starts
    from landscape_jax.search import trajectories as trajectories
    from landscape_jax.sweeps import sweep as sweep
    from landscape_jax.symmetric import SymmetricFamily as SymmetricFamily
    from landscape_jax.symmetric import fixed_points as fixed_points
    from landscape_jax.symmetric import symmetric_family as symmetric_family

_get, __dir__ = lazy(__name__)


def __getattr__(name: str) -> Any:
    if name != "__version__":
        return _get(name)
    from importlib.metadata import version  # Takes longer than all else here.

    return version("landscape-jax")

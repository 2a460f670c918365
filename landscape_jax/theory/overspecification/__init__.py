"""Safran & Shamir 2016 (SS16): overspecified two-layer networks, theorems 1 to 8.

F_n(ε) is the probability that a random initialization of n neurons has an activation pattern (SS16:
lies in a region combination) of basin value at most ε; see `theory.basins` for these terms.

- `relu_neuron`, `sigmoid_neuron`, `orthants`: theorem 1, exponentially many poor minima.
- `singletons`: theorem 2, singleton data.
- `decreasing_path`: theorem 3, a path of decreasing loss; `above_zero`: theorem 4.
- `realizable`, `caps`: theorems 5 and 6, data of a small teacher, and lemma 4.
- `full_rank`: theorem 7, independent samples; `clusters`: theorem 8, clustered data.
- `initial`: the random initialization; `intervals`: confidence intervals; `sizes`: argument checks.
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.overspecification.above_zero import count_above_zero as count_above_zero
from landscape_jax.theory.overspecification.above_zero import sphere_network as sphere_network
from landscape_jax.theory.overspecification.above_zero import theorem_4_bound as theorem_4_bound
from landscape_jax.theory.overspecification.above_zero import (
    theorem_4_linear_bound as theorem_4_linear_bound,
)
from landscape_jax.theory.overspecification.caps import band_probability as band_probability
from landscape_jax.theory.overspecification.caps import cap_probability as cap_probability
from landscape_jax.theory.overspecification.caps import lemma_4_bound as lemma_4_bound
from landscape_jax.theory.overspecification.clusters import ClusteredData as ClusteredData
from landscape_jax.theory.overspecification.clusters import ClusteredWeights as ClusteredWeights
from landscape_jax.theory.overspecification.clusters import centre_labels as centre_labels
from landscape_jax.theory.overspecification.clusters import clustered_data as clustered_data
from landscape_jax.theory.overspecification.clusters import clustered_weights as clustered_weights
from landscape_jax.theory.overspecification.clusters import largest_ratio as largest_ratio
from landscape_jax.theory.overspecification.clusters import theorem_8_bound as theorem_8_bound
from landscape_jax.theory.overspecification.clusters import (
    theorem_8_event_bound as theorem_8_event_bound,
)
from landscape_jax.theory.overspecification.clusters import theorem_8_level as theorem_8_level
from landscape_jax.theory.overspecification.decreasing_path import DecreasingPath as DecreasingPath
from landscape_jax.theory.overspecification.decreasing_path import PathCheck as PathCheck
from landscape_jax.theory.overspecification.decreasing_path import Ray as Ray
from landscape_jax.theory.overspecification.decreasing_path import Segment as Segment
from landscape_jax.theory.overspecification.decreasing_path import check_path as check_path
from landscape_jax.theory.overspecification.decreasing_path import (
    decreasing_path as decreasing_path,
)
from landscape_jax.theory.overspecification.decreasing_path import ray as ray
from landscape_jax.theory.overspecification.decreasing_path import scale_output as scale_output
from landscape_jax.theory.overspecification.full_rank import ZeroErrorWeights as ZeroErrorWeights
from landscape_jax.theory.overspecification.full_rank import (
    orthogonal_event_probability as orthogonal_event_probability,
)
from landscape_jax.theory.overspecification.full_rank import theorem_7_bound as theorem_7_bound
from landscape_jax.theory.overspecification.full_rank import (
    zero_error_weights as zero_error_weights,
)
from landscape_jax.theory.overspecification.initial import initial_weights as initial_weights
from landscape_jax.theory.overspecification.intervals import Share as Share
from landscape_jax.theory.overspecification.intervals import clopper_pearson as clopper_pearson
from landscape_jax.theory.overspecification.orthants import ValueDistribution as ValueDistribution
from landscape_jax.theory.overspecification.orthants import orthant_minima as orthant_minima
from landscape_jax.theory.overspecification.orthants import share_of_minima as share_of_minima
from landscape_jax.theory.overspecification.orthants import theorem_1_bound as theorem_1_bound
from landscape_jax.theory.overspecification.orthants import value_distribution as value_distribution
from landscape_jax.theory.overspecification.realizable import RealizableData as RealizableData
from landscape_jax.theory.overspecification.realizable import (
    intrinsic_dimension as intrinsic_dimension,
)
from landscape_jax.theory.overspecification.realizable import match_probability as match_probability
from landscape_jax.theory.overspecification.realizable import realizable_data as realizable_data
from landscape_jax.theory.overspecification.realizable import theorem_5_bound as theorem_5_bound
from landscape_jax.theory.overspecification.realizable import (
    theorem_5_union_bound as theorem_5_union_bound,
)
from landscape_jax.theory.overspecification.realizable import theorem_5_width as theorem_5_width
from landscape_jax.theory.overspecification.relu_neuron import NeuronPair as NeuronPair
from landscape_jax.theory.overspecification.relu_neuron import copies as copies
from landscape_jax.theory.overspecification.relu_neuron import mean_loss as mean_loss
from landscape_jax.theory.overspecification.relu_neuron import neuron_loss as neuron_loss
from landscape_jax.theory.overspecification.relu_neuron import relu_pair as relu_pair
from landscape_jax.theory.overspecification.relu_neuron import sample_losses as sample_losses
from landscape_jax.theory.overspecification.sigmoid_neuron import (
    bad_start_probability as bad_start_probability,
)
from landscape_jax.theory.overspecification.sigmoid_neuron import sigmoid_pair as sigmoid_pair
from landscape_jax.theory.overspecification.sigmoid_neuron import surrogate_loss as surrogate_loss
from landscape_jax.theory.overspecification.singletons import SingletonOptimum as SingletonOptimum
from landscape_jax.theory.overspecification.singletons import is_covering as is_covering
from landscape_jax.theory.overspecification.singletons import (
    singleton_basin_values as singleton_basin_values,
)
from landscape_jax.theory.overspecification.singletons import singleton_data as singleton_data
from landscape_jax.theory.overspecification.singletons import (
    singleton_event_probability as singleton_event_probability,
)
from landscape_jax.theory.overspecification.singletons import singleton_optimum as singleton_optimum
from landscape_jax.theory.overspecification.singletons import theorem_2_bound as theorem_2_bound
from landscape_jax.theory.overspecification.singletons import (
    theorem_2_power_bound as theorem_2_power_bound,
)

__dir__ = listing(__name__)

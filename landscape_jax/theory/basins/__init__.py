"""Safran & Shamir 2016 (SS16), sections 2 to 4: basins of two-layer ReLU networks.

The *activation pattern* of a network records which neuron is active on which sample: bᵢₜ = 1 where
wᵢ·x_t > 0, else −1.  The weights of one pattern form a product of open cones, their *region* (SS16:
region combination; LIU: cell).  The *basin value* of a pattern is the least loss in its closed
region, the problem solved here for thousands of patterns at a time.

- `patterns`: activation patterns of weights.
- `values`: basin values, each between proven bounds; the public entry.
- `bounds`: bounds from above and below from any approximate primal-dual point.
- `primal_dual`: primal-dual points, by the CPU kernel or in XLA.
- `interior`, `dual`: the interior-point method, and the projection onto feasible dual points.
- `systems`, `small_systems`: the linear systems of its steps, and batched Cholesky solves.
- `heights`: scaled coordinates of the data and the products with it.
- `claims`: lower bounds repaired exactly, as claims that can be saved and verified.
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.basins.lower_bound import lower_bound_claim as lower_bound_claim
from landscape_jax.theory.basins.patterns import region_patterns as region_patterns
from landscape_jax.theory.basins.values import BasinValues as BasinValues
from landscape_jax.theory.basins.values import basin_values as basin_values

__dir__ = listing(__name__)

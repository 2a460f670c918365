"""The search: initial points, one descent, and thousands of them."""

from landscape_jax.public_names import listing
from landscape_jax.search import starts as starts
from landscape_jax.search.finish_on_host import finish_on_host as finish_on_host
from landscape_jax.search.hybrid import Hybrid as Hybrid
from landscape_jax.search.hybrid import hybrid as hybrid
from landscape_jax.search.restarts import restart as restart
from landscape_jax.search.runs import Runs as Runs
from landscape_jax.search.status import Status as Status
from landscape_jax.search.trajectories import Trajectories as Trajectories
from landscape_jax.search.trajectories import trajectories as trajectories

__dir__ = listing(__name__)

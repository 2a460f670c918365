"""The search: starts, one descent, and thousands of them."""

from landscape_jax.search import starts as starts
from landscape_jax.search.restarts import restart as restart
from landscape_jax.search.runs import Runs as Runs
from landscape_jax.search.status import Status as Status

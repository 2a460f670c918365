"""Runs of any objective in chunks on disk, resumable; then their families and proofs."""

from landscape_jax.public_names import listing
from landscape_jax.sweeps.executors import SweepError as SweepError
from landscape_jax.sweeps.sweep import sweep as sweep

__dir__ = listing(__name__)

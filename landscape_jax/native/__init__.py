"""C++ kernels for CPUs, and their compilation and loading."""

from landscape_jax.names import listing
from landscape_jax.native.loader import kernels as kernels

__dir__ = listing(__name__)

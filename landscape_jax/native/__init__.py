"""C++ kernels for CPUs, and their compilation and loading."""

from landscape_jax.native.loader import instruction_set as instruction_set
from landscape_jax.native.loader import kernels as kernels
from landscape_jax.native.loader import without_kernels as without_kernels
from landscape_jax.public_names import listing

__dir__ = listing(__name__)

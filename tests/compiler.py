"""What tests of kernels need."""

import pytest

from landscape_jax.native import loader

needs_compiler = pytest.mark.skipif(loader._compiler() is None, reason="no C++ compiler")

"""What tests of kernels need."""

import pytest

from landscape_jax import native

needs_compiler = pytest.mark.skipif(native._compiler() is None, reason="no C++ compiler")

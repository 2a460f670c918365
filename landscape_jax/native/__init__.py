"""Kernels for CPUs in C++, and what compiles and loads them."""

from landscape_jax.native.loader import kernels as kernels

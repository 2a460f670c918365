"""Families of critical points that symmetric groups fix, at any width: values, spectra, proofs.

A critical point of the population risk of orthonormal teachers that permutations of neurons fix has
few unknowns, whatever the number k of teachers, and k enters as a coefficient, which may be real.
Source: Arjevani & Field 2020 (arXiv 2003.10576), 2021 (2107.10370).
"""

from typing import TYPE_CHECKING

from landscape_jax.public_names import lazy

if TYPE_CHECKING:
    from landscape_jax.symmetric.family import SymmetricFamily as SymmetricFamily
    from landscape_jax.symmetric.family import symmetric_family as symmetric_family
    from landscape_jax.symmetric.search import fixed_points as fixed_points

__getattr__, __dir__ = lazy(__name__)

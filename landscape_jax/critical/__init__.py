"""Critical points: their spectra, their kinds, and which of them are the same up to a symmetry."""

from landscape_jax.critical.classify import classify as classify
from landscape_jax.critical.curvature import padding_matrix as padding_matrix
from landscape_jax.critical.curvature import padding_spectrum as padding_spectrum
from landscape_jax.critical.curvature import spectrum as spectrum
from landscape_jax.critical.families import Family as Family
from landscape_jax.critical.families import families as families
from landscape_jax.critical.symmetry import Alignment as Alignment
from landscape_jax.critical.symmetry import align as align

"""Critical points: their spectra, their kinds, and which of them are the same up to a symmetry."""

from landscape_jax.critical import slices as slices
from landscape_jax.critical.barriers import Barrier as Barrier
from landscape_jax.critical.barriers import barrier as barrier
from landscape_jax.critical.classify import classify as classify
from landscape_jax.critical.density import Density as Density
from landscape_jax.critical.density import spectral_density as spectral_density
from landscape_jax.critical.eigenvector_following import CriticalPoints as CriticalPoints
from landscape_jax.critical.eigenvector_following import critical_points as critical_points
from landscape_jax.critical.families import Families as Families
from landscape_jax.critical.families import Family as Family
from landscape_jax.critical.families import families as families
from landscape_jax.critical.index import Index as Index
from landscape_jax.critical.index import index as index
from landscape_jax.critical.index import indices as indices
from landscape_jax.critical.lanczos import Eigenvalues as Eigenvalues
from landscape_jax.critical.lanczos import extreme_eigenvalues as extreme_eigenvalues
from landscape_jax.critical.perturbations import Nearby as Nearby
from landscape_jax.critical.perturbations import lowest_nearby as lowest_nearby
from landscape_jax.critical.relabelling import Relabelling as Relabelling
from landscape_jax.critical.sensitivity import Sensitivity as Sensitivity
from landscape_jax.critical.sensitivity import SensitivityStatus as SensitivityStatus
from landscape_jax.critical.sensitivity import sensitivity as sensitivity
from landscape_jax.critical.slices import Slice as Slice
from landscape_jax.critical.spectra import padding_matrix as padding_matrix
from landscape_jax.critical.spectra import padding_spectrum as padding_spectrum
from landscape_jax.critical.spectra import spectrum as spectrum
from landscape_jax.critical.symmetry import Alignment as Alignment
from landscape_jax.critical.symmetry import align as align
from landscape_jax.public_names import listing

__dir__ = listing(__name__)

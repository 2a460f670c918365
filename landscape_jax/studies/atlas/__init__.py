"""An atlas of critical points of orthonormal teachers, each proven, at any width.

The points are those that descents end in, or a published list (Safran, Yehudai & Shamir 2021).
"""

from landscape_jax.public_names import listing
from landscape_jax.studies.atlas.atlas_figure import FIGURES as FIGURES
from landscape_jax.studies.atlas.atlas_figure import families_in_k as families_in_k
from landscape_jax.studies.atlas.atlas_rows import Atlas as Atlas
from landscape_jax.studies.atlas.atlas_rows import AtlasRow as AtlasRow
from landscape_jax.studies.atlas.atlas_study import of_points as of_points
from landscape_jax.studies.atlas.atlas_study import of_sizes as of_sizes
from landscape_jax.studies.atlas.listed_points import ListedPoint as ListedPoint
from landscape_jax.studies.atlas.listed_points import read_points as read_points

__dir__ = listing(__name__)

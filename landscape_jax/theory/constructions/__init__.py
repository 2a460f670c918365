"""Yun, Sra & Jadbabaie 2019 (YSJ19), theorems 1 and 2: spurious minima for almost all data.

- `spurious`: theorem 1, for piecewise linear activations and almost all data.
- `piecewise_linear`: their networks in rational arithmetic, and minima of an activation pattern.
- `three_points`: theorem 2 and corollary 3, for almost all activations on three samples.
- `three_points_search`: candidates v, u for the conditions (C2.1) to (C2.7) of theorem 2.
- `conditions`: proofs of these conditions in ball arithmetic, or checks in floats.
- `traces`: a user's activation evaluated in balls through its JAX program.
- `forms`: exact formulas of activations, which decide that a condition fails for all numbers.
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.constructions.conditions import ConditionError as ConditionError
from landscape_jax.theory.constructions.conditions import Margins as Margins
from landscape_jax.theory.constructions.conditions import check_fit as check_fit
from landscape_jax.theory.constructions.conditions import check_minimum as check_minimum
from landscape_jax.theory.constructions.piecewise_linear import CellCheck as CellCheck
from landscape_jax.theory.constructions.piecewise_linear import RationalNetwork as RationalNetwork
from landscape_jax.theory.constructions.piecewise_linear import check_cell as check_cell
from landscape_jax.theory.constructions.piecewise_linear import exact_risk as exact_risk
from landscape_jax.theory.constructions.spurious import SpuriousMinimum as SpuriousMinimum
from landscape_jax.theory.constructions.spurious import spurious_minimum as spurious_minimum
from landscape_jax.theory.constructions.three_points import ThreePoints as ThreePoints
from landscape_jax.theory.constructions.three_points import three_point_data as three_point_data
from landscape_jax.theory.constructions.three_points import three_points as three_points

__dir__ = listing(__name__)

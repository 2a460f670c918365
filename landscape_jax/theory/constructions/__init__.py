"""Yun, Sra & Jadbabaie 2019 (YSJ19), theorems 1 and 2: spurious minima for almost all data."""

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

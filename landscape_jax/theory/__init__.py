"""The papers' constructions and tests: what theorems say of a point, and points that show it."""

from typing import TYPE_CHECKING

from landscape_jax.public_names import lazy

if TYPE_CHECKING:
    from landscape_jax.theory import added_neurons as added_neurons
    from landscape_jax.theory import basins as basins
    from landscape_jax.theory import cells as cells
    from landscape_jax.theory import constructions as constructions
    from landscape_jax.theory import deep_linear as deep_linear
    from landscape_jax.theory import overspecification as overspecification
    from landscape_jax.theory import parallel_weights as parallel_weights
    from landscape_jax.theory.added_neurons import AtNetwork as AtNetwork
    from landscape_jax.theory.added_neurons import AugmentedCheck as AugmentedCheck
    from landscape_jax.theory.added_neurons import Check as Check
    from landscape_jax.theory.added_neurons import Composed as Composed
    from landscape_jax.theory.added_neurons import PgbTest as PgbTest
    from landscape_jax.theory.added_neurons import check_augmented as check_augmented
    from landscape_jax.theory.added_neurons import composed_added as composed_added
    from landscape_jax.theory.added_neurons import composed_risk as composed_risk
    from landscape_jax.theory.added_neurons import least_value as least_value
    from landscape_jax.theory.added_neurons import pgb_test as pgb_test
    from landscape_jax.theory.added_neurons import unchanging as unchanging
    from landscape_jax.theory.constructions import CellCheck as CellCheck
    from landscape_jax.theory.constructions import ConditionError as ConditionError
    from landscape_jax.theory.constructions import Margins as Margins
    from landscape_jax.theory.constructions import RationalNetwork as RationalNetwork
    from landscape_jax.theory.constructions import SpuriousMinimum as SpuriousMinimum
    from landscape_jax.theory.constructions import ThreePoints as ThreePoints
    from landscape_jax.theory.constructions import check_cell as check_cell
    from landscape_jax.theory.constructions import check_fit as check_fit
    from landscape_jax.theory.constructions import check_minimum as check_minimum
    from landscape_jax.theory.constructions import exact_risk as exact_risk
    from landscape_jax.theory.constructions import spurious_minimum as spurious_minimum
    from landscape_jax.theory.constructions import three_point_data as three_point_data
    from landscape_jax.theory.constructions import three_points as three_points
    from landscape_jax.theory.deep_linear import LinearEscape as LinearEscape
    from landscape_jax.theory.deep_linear import LinearPoint as LinearPoint
    from landscape_jax.theory.deep_linear import LinearTolerances as LinearTolerances
    from landscape_jax.theory.deep_linear import classify_deep_linear as classify_deep_linear
    from landscape_jax.theory.deep_linear import escape_deep_linear as escape_deep_linear

__getattr__, __dir__ = lazy(__name__)

"""The papers' constructions and tests: what theorems say of a point, and points that show it."""

from landscape_jax.theory import added_neurons as added_neurons
from landscape_jax.theory.augmentation import AtNetwork as AtNetwork
from landscape_jax.theory.augmentation import AugmentedCheck as AugmentedCheck
from landscape_jax.theory.augmentation import Check as Check
from landscape_jax.theory.augmentation import check_augmented as check_augmented
from landscape_jax.theory.least import least_value as least_value
from landscape_jax.theory.pgb import Composed as Composed
from landscape_jax.theory.pgb import PgbTest as PgbTest
from landscape_jax.theory.pgb import composed_added as composed_added
from landscape_jax.theory.pgb import composed_risk as composed_risk
from landscape_jax.theory.pgb import pgb_test as pgb_test
from landscape_jax.theory.pgb import unchanging as unchanging

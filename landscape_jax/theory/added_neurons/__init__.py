"""Kawaguchi & Kaelbling 2020 (KK20): added exponential neurons and local minima.

The neuron-augmented objective L̃(θ, a, b, w) is the risk of f(x; θ) + a exp(w·x + b), plus λa².

- `at_point`: checks of theorems 1 and 2 at a point, and L̃ at a fixed network (theorem 4).
- `least_value`: the infimum of the risk over all functions, which theorem 1 compares with.
- `pgb`: the perturbable-gradient-basis condition of theorem 3.
- `examples`: examples 1 to 7.
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.added_neurons.at_point import AtNetwork as AtNetwork
from landscape_jax.theory.added_neurons.at_point import AugmentedCheck as AugmentedCheck
from landscape_jax.theory.added_neurons.at_point import Check as Check
from landscape_jax.theory.added_neurons.at_point import check_augmented as check_augmented
from landscape_jax.theory.added_neurons.examples import Bumps as Bumps
from landscape_jax.theory.added_neurons.examples import Path as Path
from landscape_jax.theory.added_neurons.examples import best_in_example_1 as best_in_example_1
from landscape_jax.theory.added_neurons.examples import example_1 as example_1
from landscape_jax.theory.added_neurons.examples import example_2 as example_2
from landscape_jax.theory.added_neurons.examples import example_3 as example_3
from landscape_jax.theory.added_neurons.examples import example_4 as example_4
from landscape_jax.theory.added_neurons.examples import example_5 as example_5
from landscape_jax.theory.added_neurons.examples import example_6 as example_6
from landscape_jax.theory.added_neurons.examples import example_7 as example_7
from landscape_jax.theory.added_neurons.examples import slopes_in_theta as slopes_in_theta
from landscape_jax.theory.added_neurons.least_value import least_value as least_value
from landscape_jax.theory.added_neurons.pgb import Composed as Composed
from landscape_jax.theory.added_neurons.pgb import PgbTest as PgbTest
from landscape_jax.theory.added_neurons.pgb import composed_added as composed_added
from landscape_jax.theory.added_neurons.pgb import composed_risk as composed_risk
from landscape_jax.theory.added_neurons.pgb import pgb_test as pgb_test
from landscape_jax.theory.added_neurons.pgb import unchanging as unchanging

__dir__ = listing(__name__)

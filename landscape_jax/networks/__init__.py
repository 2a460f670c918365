"""Networks, their activations, and the criteria that compare predictions with labels."""

from landscape_jax.networks import activations as activations
from landscape_jax.networks import criteria as criteria
from landscape_jax.networks.models import DeepLinear as DeepLinear
from landscape_jax.networks.models import Mlp as Mlp
from landscape_jax.networks.models import TwoLayer as TwoLayer
from landscape_jax.networks.models import random_network as random_network
from landscape_jax.networks.realisation import realise as realise
from landscape_jax.public_names import listing

__dir__ = listing(__name__)

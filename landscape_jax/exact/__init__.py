"""Data and linear algebra in rational numbers, without rounding.

- `rationals`: numbers and matrices from and to floats, least squares and null spaces.
- `samples`: reads data exactly, or refuses them.
- `directions`: rows and weights up to a positive factor, in whole numbers.
- `coordinates`: an exact change of coordinates in which samples are well conditioned.
- `ranks`: the tolerance below which a singular value of a float matrix counts as 0.
"""

from landscape_jax.exact.samples import Samples as Samples
from landscape_jax.exact.samples import exact_samples as exact_samples
from landscape_jax.public_names import listing

__dir__ = listing(__name__)

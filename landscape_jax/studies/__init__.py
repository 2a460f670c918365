"""The papers' tables and figures, one package a paper: data in, labelled data out."""

from typing import TYPE_CHECKING

from landscape_jax.public_names import lazy

if TYPE_CHECKING:
    from landscape_jax.studies import atlas as atlas
    from landscape_jax.studies import kk20 as kk20
    from landscape_jax.studies import liu20 as liu20
    from landscape_jax.studies import ss16 as ss16
    from landscape_jax.studies import ss18 as ss18
    from landscape_jax.studies import width as width

__getattr__, __dir__ = lazy(__name__)

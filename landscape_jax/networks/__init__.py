"""Networks: what is known of a two-layer network apart from any loss."""

from landscape_jax.networks.realisation import realise as realise

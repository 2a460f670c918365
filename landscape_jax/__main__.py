"""`python -m landscape_jax`: the command line."""

from landscape_jax.cli import app

app()

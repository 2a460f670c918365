"""The papers' tables and figures, one package a paper: data in, labelled data out."""

from landscape_jax.studies import ss18 as ss18

"""Safran & Shamir 2018 (SS18): how often descent ends in a spurious minimum, each proven."""

from landscape_jax.public_names import listing
from landscape_jax.studies.ss18.figure_1 import FIGURE_1_SIZES as FIGURE_1_SIZES
from landscape_jax.studies.ss18.figure_1 import FIGURES as FIGURES
from landscape_jax.studies.ss18.figure_1 import figure_1 as figure_1
from landscape_jax.studies.ss18.published import PUBLISHED as PUBLISHED
from landscape_jax.studies.ss18.published import Published as Published
from landscape_jax.studies.ss18.rows import Row as Row
from landscape_jax.studies.ss18.rows import Table as Table
from landscape_jax.studies.ss18.study import SIZES as SIZES
from landscape_jax.studies.ss18.study import table as table

__dir__ = listing(__name__)

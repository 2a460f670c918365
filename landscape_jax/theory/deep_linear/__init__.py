"""Yun, Sra & Jadbabaie 2019 (YSJ19), theorem 4: critical points of deep linear networks."""

from landscape_jax.theory.deep_linear.classification import LinearPoint as LinearPoint
from landscape_jax.theory.deep_linear.classification import LinearTolerances as LinearTolerances
from landscape_jax.theory.deep_linear.classification import (
    classify_deep_linear as classify_deep_linear,
)
from landscape_jax.theory.deep_linear.escape import LinearEscape as LinearEscape
from landscape_jax.theory.deep_linear.escape import escape_deep_linear as escape_deep_linear

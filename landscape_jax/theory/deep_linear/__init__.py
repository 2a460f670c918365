"""Yun, Sra & Jadbabaie 2019 (YSJ19), theorem 4: critical points of deep linear networks.

- `classification`: the kind of a critical point from ∇ℓ₀ at the product (theorem 4, corollary 5).
- `escape`: points of higher and lower loss near a saddle (the proof of theorem 4).
- `convex_criteria`: whether a convex criterion attains its minimum near a linear map.
- `products`: products of neighbouring layers, and their ranks.
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.deep_linear.classification import LinearPoint as LinearPoint
from landscape_jax.theory.deep_linear.classification import LinearTolerances as LinearTolerances
from landscape_jax.theory.deep_linear.classification import (
    classify_deep_linear as classify_deep_linear,
)
from landscape_jax.theory.deep_linear.escape import LinearEscape as LinearEscape
from landscape_jax.theory.deep_linear.escape import escape_deep_linear as escape_deep_linear

__dir__ = listing(__name__)

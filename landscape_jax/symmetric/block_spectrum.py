"""The spectrum of the Hessian at a symmetric point, by isotypic components."""

import numpy as np
from flint import arb
from jaxtyping import Float

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.proofs.balls import midpoints
from landscape_jax.proofs.fixed_space import symmetric_form
from landscape_jax.proofs.isotypic import components, orbits_alone
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.reduced_risk import ReducedRisk
from landscape_jax.proofs.symmetric_certificate import to_unknowns

# The Hessian changes by about as much as the point when it is made exactly symmetric.
MOVED = 1e-11


def block_spectrum(
    problem: Problem, point: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " size"] | None:
    """Compute the n·k eigenvalues of the Hessian in the teachers' span, ascending.

    The point is made exactly symmetric, by at most `MOVED` of its norm.  The time does not grow
    with the numbers of neurons but for their expansion.

    **Returns:** the eigenvalues, to about 1e-11 of the largest; `None` if the teachers are not
    orthonormal, or the point has too little symmetry, or parallel neurons.
    """
    with working_precision(96):
        form = symmetric_form(problem, point)
        if form is None:
            return None
        blocks, values, moved = form
        if orbits_alone(blocks) or moved > MOVED * float(np.linalg.norm(point)):
            return None
        x = [arb(value) for value in to_unknowns(blocks, values)]
        parts: list[np.ndarray] = []
        for component in components(blocks):
            at = ReducedRisk(component.cut.fine, component.cut.lift(x))
            matrix = midpoints(at.hessian(component.directions))
            if not np.isfinite(matrix).all():
                return None
            parts.append(np.repeat(np.linalg.eigvalsh(matrix), component.dimension))
    return np.sort(np.concatenate(parts))

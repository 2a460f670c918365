"""The fixed space of a point's symmetry: its blocks, and the values of the point there."""

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.blocks import Blocks, matched
from landscape_jax.proofs.point_symmetry import find_isotropy
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.symmetric_certificate import (
    MOST_BLOCKS,
    MOST_UNKNOWNS,
    exact_blocks,
    to_values,
)
from landscape_jax.proofs.teacher_rays import orthonormal_rows


def symmetric_form(
    problem: Problem, point: Float[np.ndarray, "n d"]
) -> tuple[Blocks, Float[np.ndarray, "M columns"], float] | None:
    """Return the blocks and values of a point of orthonormal teachers, and how far W was moved.

    `None` if the teachers are not orthonormal, the point has too little symmetry, lies outside of
    their span, or two student blocks belong to one teacher block.
    """
    if not orthonormal_rows(problem.teacher):
        return None
    found = find_isotropy(problem, point)
    sizes, teachers = found.sizes
    pairs = [j for j in found.match if j is not None]
    if len(set(pairs)) < len(pairs) or max(len(sizes), len(teachers)) > MOST_BLOCKS:
        return None
    coordinates = found.representative @ problem.teacher.T
    outside = float(np.linalg.norm(found.representative - coordinates @ problem.teacher))
    if outside > 1e-9 * float(np.linalg.norm(point)):
        return None
    a = [float(problem.student_weights[block[0]]) for block in found.blocks]
    b = [float(problem.teacher_weights[block[0]]) for block in found.teacher_blocks]
    blocks = exact_blocks(sizes, teachers, a, b)
    unknowns = len(blocks.unknowns)
    if blocks.match != matched(sizes, teachers) or not unknowns < min(
        point.size, MOST_UNKNOWNS + 1
    ):
        return None
    x = []
    for i, j in blocks.unknowns:
        rows = found.blocks[i]
        columns = found.teacher_blocks[blocks.match[i] if j is None else j]  # type: ignore[index]
        own = j == blocks.match[i]
        x.append(float(coordinates[rows[0], columns[0 if own or j is not None else 1]]))
    return blocks, to_values(blocks, x), found.moved

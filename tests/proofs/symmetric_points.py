"""Symmetric critical points that tests use: blocks and rough values, found by `fixed_points`."""

import numpy as np

from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate
from landscape_jax.proofs.symmetric_proof import prove_symmetric

# blocks, teacher blocks, rough values; n = k but for the last two.
POINTS = {
    "one flipped, k = 6": ([1, 5], [1, 5], [[-0.67, 0.17, 0], [0.24, 1.0, -0.04]]),
    "one flipped, k = 5": ([1, 4], [1, 4], [[-0.644, 0.2, 0], [0.29, 0.99, -0.06]]),
    "one block of 6": ([6], [6], None),
    "two and six": ([2, 6], [2, 6], None),
    "three flipped and their mean, k = 14": ([11, 3, 1], [11, 3], None),
    "two flipped and their mean, k = 17": ([15, 2, 1], [15, 2], None),
}


def proven(blocks, teacher_blocks, values, **options) -> SymmetricCertificate:
    """Prove a point that is known to have a proof."""
    proof = prove_symmetric(blocks, teacher_blocks, np.array(values, float), max_move=1.0, **options)
    assert isinstance(proof, SymmetricCertificate), proof.reason
    return proof

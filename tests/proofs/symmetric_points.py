"""Symmetric critical points that tests use: blocks and rough values."""

import numpy as np

from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate
from landscape_jax.proofs.symmetric_proof import prove_symmetric

# Blocks, teacher blocks, rough values, and what the point is: its kind and index.
POINTS = {
    "one flipped, k = 6": ([1, 5], [1, 5], [[-0.67, 0.17, 0], [0.24, 1.0, -0.04]], "spurious", 0),
    "one flipped, k = 5": ([1, 4], [1, 4], [[-0.64, 0.2, 0], [0.29, 0.99, -0.06]], "saddle", 3),
    "one block of 6": ([6], [6], [[-0.663, 0.331]], "spurious", 0),
    "two flipped, k = 8": (
        [2, 6], [2, 6], [[-0.697, 0.243, 0.193], [0.179, 0.978, -0.065]], "spurious", 0,
    ),
    "two flipped and their mean, k = 17": (
        [15, 2, 1], [15, 2],
        [[1.001, 0.0208, -0.0433, -0.0001], [0.0539, 0.1876, 0.5323, -0.5539]], "saddle", 1,
    ),
    "three flipped and their mean, k = 17": (
        [14, 3, 1], [14, 3],
        [[1.0022, 0.0233, -0.0631, -0.001], [0.058, -0.6394, 0.4688, 0.1655]], "spurious", 0,
    ),
    "single neurons": (
        [1, 1, 6], [1, 1, 6],
        [[0.865, 0.4, -0.042, 0], [0.5015, -0.624, 0.1786, 0], [-0.0525, 0.1287, 1.011, -0.0166]],
        "saddle", 1,
    ),
    "three blocks": (
        [2, 3, 4], [2, 3, 4],
        [
            [0.995, 0.132, -0.0817, -0.0571], [0.181, -0.7407, 0.2436, 0.183],
            [-0.0762, 0.1853, 0.9347, -0.1091],
        ],
        "saddle", 3,
    ),
}  # fmt: skip


def proven(name: str, **options) -> SymmetricCertificate:
    """Prove one of the points."""
    blocks, teachers, values, *_ = POINTS[name]
    proof = prove_symmetric(blocks, teachers, np.array(values), max_move=1.0, **options)
    assert isinstance(proof, SymmetricCertificate), proof.reason
    return proof

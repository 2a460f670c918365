"""Computer-assisted proofs of local minima, and their independent verification."""

from landscape_jax.proofs.certificate import Certificate, NotProven
from landscape_jax.proofs.certificate_file import CertificateError
from landscape_jax.proofs.minimum import prove_minima, prove_minimum
from landscape_jax.proofs.verification import Verification, verify

__all__ = [
    "Certificate",
    "CertificateError",
    "NotProven",
    "Verification",
    "prove_minima",
    "prove_minimum",
    "verify",
]

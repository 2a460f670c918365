"""Certificates of critical points with split neurons: several students on one ray."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flint import fmpq

from landscape_jax.proofs.certificate import Certificate
from landscape_jax.proofs.certificate_file import (
    CertificateError,
    check_head,
    check_versions,
    read_number,
)
from landscape_jax.proofs.claim import Claim
from landscape_jax.proofs.point_certificate import PointCertificate, read_fraction

FORMAT = "landscape_jax split certificate"
VERSION = 1
COUNTS = ("index", "nullity")
NAMES = ("kind", *COUNTS, "merged", "assignment", "shares", "moved", "seconds", "versions")


@dataclass(frozen=True, eq=False, repr=False)
class SplitCertificate(Claim):
    """A proven critical point in which neurons of another one are split.  Truthy.

    `merged` certifies a nondegenerate critical point x* of the risk G of m students with second
    layer a′.  Here n > m students wᵢ = sᵢ x*_j, j = `assignment[i]` and sᵢ = `shares[i]` > 0 with
    Σ sᵢ = 1 over the students of each j, have second-layer weights a′_j: their function is that of
    x*, by relu(cv·x) = c relu(v·x).  The statement, of the risk F of the n students:

    * these W, for all such shares, are critical points, all of value G(x*): F is flat along the
      `nullity` = n − m directions in which shares are exchanged;
    * on the complement of these directions ∇²F is nondegenerate, with `index` negative eigenvalues.

    Proof.  F is C² there (`pairs.hessian`).  Write a direction at the students of j as εᵢ + sᵢη
    with Σ εᵢ = 0 over the students of j.  Two students on one ray have ∂²f/∂w∂v = I/2, and students
    on one ray have the same mixed derivatives with any other neuron.  So in ∇²F the terms between
    different students of j are ½a′² Σ εᵢ·εₗ (i ≠ l), those of εᵢ with another ray are multiples of
    Σ εᵢ = 0, and the rest of ∂²F/∂wᵢ², which is Nⱼ/sᵢ with Nⱼ = ∂²G/∂x_j² − ½a′²I (the second
    derivatives of f scale like 1/|wᵢ|), leaves

        ∇²F[ε + sη] = ∇²G[η] + Σⱼ Σᵢ εᵢᵀ Nⱼ εᵢ / sᵢ,

    since ½a′² |Σ εᵢ|² = 0 and Σᵢ εᵢᵀ Nⱼ η = 0.  Nⱼ x_j = 0, as f is linear along rays; so ε along
    x_j is flat, and each further student of j adds the negative eigenvalues of Nⱼ on the complement
    of x_j.  The first term has the index of `merged`.

    `kind` is "saddle" if `index` > 0, else "minimum", a local one that is not strict: the flat
    directions are the tangents of the manifold of critical points, along which F is constant, and
    ∇²F is positive across it.
    """

    kind: Literal["saddle", "minimum"]
    index: int
    nullity: int
    merged: Certificate | PointCertificate
    assignment: tuple[int, ...]
    shares: tuple[fmpq, ...]
    moved: float
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def value_lower(self) -> float:
        """Return a lower bound of the value."""
        return self.merged.value_lower

    @property
    def value_upper(self) -> float:
        """Return an upper bound of the value."""
        return self.merged.value_upper

    @property
    def radius(self) -> float:
        """Return the radius of the certificate of the merged point."""
        return self.merged.radius

    @property
    def min_eigenvalue_lower(self) -> None:
        """Return `None`: the eigenvalues are those of no matrix that is stated."""
        return None

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        n, m = len(self.shares), len(self.merged.point)
        return (
            f"With its {m} neurons split into {n}, the following point stays critical whatever the "
            f"shares; its Hessian has {self.nullity} flat directions, and on their complement is "
            f"nondegenerate with {self.index} negative eigenvalues. {self.merged.statement}"
        )

    def written(self, statement: str) -> dict[str, Any]:
        """Return the JSON object of the certificate's file, with a given sentence."""
        if type(self.moved) is not float or type(self.seconds) is not float:
            raise CertificateError("'moved' and 'seconds' must be floats.")
        return {
            "format": FORMAT,
            "version": VERSION,
            "statement": statement,
            "kind": self.kind,
            "index": self.index,
            "nullity": self.nullity,
            "merged": self.merged.written(self.merged.statement),
            "assignment": list(self.assignment),
            "shares": [f"{s.p}/{s.q}" for s in self.shares],
            "moved": self.moved,
            "seconds": self.seconds,
            "versions": self.versions,
        }


def read_entries(found: Mapping[str, Any], merged: Claim) -> tuple[dict[str, Any], str]:
    """Return the fields and the sentence of a JSON object, whose `merged` has been read.

    **Raises:** `CertificateError` if a field is missing, unknown, malformed, or does not fit.
    """
    known = {"format", "version", "statement", *NAMES}
    check_head(found, VERSION, known)
    if not isinstance(merged, Certificate | PointCertificate):
        raise CertificateError("'merged' must be the certificate of a minimum or of a saddle.")
    if any(type(found[name]) is not int or found[name] < 0 for name in COUNTS):
        raise CertificateError("'index' and 'nullity' must be counts.")
    if found["kind"] != ("saddle" if found["index"] else "minimum"):
        raise CertificateError("'kind' must be saddle if 'index' is positive, else minimum.")
    versions = found["versions"]
    check_versions(versions)
    places, raw, m = found["assignment"], found["shares"], len(merged.point)
    if not isinstance(places, list) or not all(type(j) is int and 0 <= j < m for j in places):
        raise CertificateError("'assignment' must hold numbers of merged neurons.")
    if not isinstance(raw, list) or len(raw) != len(places):
        raise CertificateError("'shares' must have a fraction for each student.")
    entries = {name: found[name] for name in ("kind", *COUNTS)}
    entries |= {"merged": merged, "assignment": tuple(places), "versions": versions}
    entries |= {"shares": tuple(map(read_fraction, raw))}
    entries |= {name: read_number(name, found[name]) for name in ("moved", "seconds")}
    return entries, found["statement"]

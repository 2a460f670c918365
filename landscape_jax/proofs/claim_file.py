"""Read the file of any claim: its format and kind decide which class of claim it holds."""

import json
import os

from landscape_jax.mistakes import shown
from landscape_jax.proofs import (
    certificate_file,
    point_certificate,
    rational_file,
    split_certificate,
    symmetric_certificate,
)
from landscape_jax.proofs.certificate import Certificate
from landscape_jax.proofs.certificate_file import CertificateError, read_object
from landscape_jax.proofs.claim import Claim
from landscape_jax.proofs.loss_bound import LossBound
from landscape_jax.proofs.point_certificate import PointCertificate
from landscape_jax.proofs.points_on_data import MinimumOnData, SaddleOnData
from landscape_jax.proofs.rational_claim import RationalClaim
from landscape_jax.proofs.region_bound import RegionBound
from landscape_jax.proofs.split_certificate import SplitCertificate
from landscape_jax.proofs.spurious_on_data import SpuriousOnData
from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate

LARGEST_FILE = 64 * 2**20
RATIONAL: dict[str, type[RationalClaim]] = {
    kind.KIND: kind
    for kind in (SpuriousOnData, MinimumOnData, SaddleOnData, RegionBound, LossBound)
}


def read(path: str | os.PathLike[str]) -> tuple[Claim, str]:
    """Read a claim and the sentence that stands in its file.

    **Raises:** `CertificateError` if the file holds no claim; `OSError` if it cannot be opened;
    `TypeError` if `path` is none.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path is {shown(path)}; give the path of a claim's file")
    with open(path, "rb") as stream:
        content = stream.read(LARGEST_FILE + 1)  # Of a device, which may have no end, no more.
    if len(content) > LARGEST_FILE:
        raise CertificateError(f"{path}: larger than any certificate ({LARGEST_FILE} bytes).")
    try:
        return parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CertificateError(f"{path}: not a certificate: {error}.") from None
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from None


def reread(claim: Claim) -> Claim:
    """Return a claim in memory as its file would hold it, so that there is one reader.

    **Raises:** `CertificateError` if it cannot be written, or not read.
    """
    try:
        text = json.dumps(claim.written(""), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise CertificateError(f"{error}") from None
    return parse(text)[0]


def parse(source: str) -> tuple[Claim, str]:
    """Read a claim and its sentence from JSON text, checking the type and shape of every field.

    **Raises:** `CertificateError` if the text holds no claim.
    """
    found = read_object(source)
    match found.get("format"):
        case certificate_file.FORMAT:
            entries, statement = certificate_file.read_entries(found)
            return Certificate(**entries), statement
        case symmetric_certificate.FORMAT:
            entries, statement = symmetric_certificate.read_entries(found)
            return SymmetricCertificate(**entries), statement
        case point_certificate.FORMAT:
            entries, statement = point_certificate.read_entries(found)
            return PointCertificate(**entries), statement
        case split_certificate.FORMAT:
            merged = parse(json.dumps(found.get("merged")))[0]
            entries, statement = split_certificate.read_entries(found, merged)
            return SplitCertificate(**entries), statement
        case rational_file.FORMAT:
            kind = found.get("kind")
            if not isinstance(kind, str) or kind not in RATIONAL:
                known = "', '".join(RATIONAL)
                raise CertificateError(f"'kind' must be one of '{known}'.")
            entries, statement = rational_file.read_entries(found, RATIONAL[kind].SHAPES)
            return RATIONAL[kind](**entries), statement
    rooms = (certificate_file, symmetric_certificate, point_certificate, split_certificate)
    formats = [room.FORMAT for room in (*rooms, rational_file)]
    known = "' or '".join(formats)
    raise CertificateError(f"not a certificate: its format is not '{known}'.")

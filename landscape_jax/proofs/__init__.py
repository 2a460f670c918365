"""Computer-assisted proofs of minima and of bounds, and their independent verification."""

from typing import TYPE_CHECKING

from landscape_jax.public_names import lazy

if TYPE_CHECKING:
    from landscape_jax.proofs.certificate import Certificate as Certificate
    from landscape_jax.proofs.certificate import NotProven as NotProven
    from landscape_jax.proofs.certificate_file import CertificateError as CertificateError
    from landscape_jax.proofs.claim import Claim as Claim
    from landscape_jax.proofs.critical_point import prove_critical_point as prove_critical_point
    from landscape_jax.proofs.loss_bound import LossBound as LossBound
    from landscape_jax.proofs.loss_bound import prove_loss_bound as prove_loss_bound
    from landscape_jax.proofs.minimum import prove_minima as prove_minima
    from landscape_jax.proofs.minimum import prove_minimum as prove_minimum
    from landscape_jax.proofs.point_certificate import PointCertificate as PointCertificate
    from landscape_jax.proofs.point_symmetry import Isotropy as Isotropy
    from landscape_jax.proofs.point_symmetry import isotropy as isotropy
    from landscape_jax.proofs.points_on_data import MinimumOnData as MinimumOnData
    from landscape_jax.proofs.points_on_data import SaddleOnData as SaddleOnData
    from landscape_jax.proofs.points_on_data import prove_minimum_on_data as prove_minimum_on_data
    from landscape_jax.proofs.points_on_data import prove_saddle_on_data as prove_saddle_on_data
    from landscape_jax.proofs.region_bound import RegionBound as RegionBound
    from landscape_jax.proofs.region_bound import prove_region_bound as prove_region_bound
    from landscape_jax.proofs.split_certificate import SplitCertificate as SplitCertificate
    from landscape_jax.proofs.spurious_on_data import Layers as Layers
    from landscape_jax.proofs.spurious_on_data import SpuriousOnData as SpuriousOnData
    from landscape_jax.proofs.spurious_on_data import (
        prove_spurious_on_data as prove_spurious_on_data,
    )
    from landscape_jax.proofs.symmetric_certificate import (
        SymmetricCertificate as SymmetricCertificate,
    )
    from landscape_jax.proofs.verification import Verification as Verification
    from landscape_jax.proofs.verification import verify as verify

__getattr__, __dir__ = lazy(__name__)

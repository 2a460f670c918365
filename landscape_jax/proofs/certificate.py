"""Certificates of strict minima of population risks, or the reason why there is none."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.arguments import Argument
from landscape_jax.proofs.certificate_file import Kind, content
from landscape_jax.proofs.claim import Claim
from landscape_jax.proofs.teacher_rays import orthonormal_rows
from landscape_jax.summary import Summarised, Summary


@dataclass(frozen=True, eq=False, repr=False)
class NotProven(Summarised):
    """No proof was found, and why; the statement may be true or false.  Falsy.

    `reason` is one sentence; the other fields are `None` if they are not known.
    `point` is where the proof was tried, `moved` away from the given point.  Bounds are in the
    coordinates of `Certificate`.  `min_eigenvalue_upper` is the proven upper bound of the Hessian's
    smallest eigenvalue at `point` if it is negative: there is a direction of descent.
    """

    reason: str
    kind: None = None
    index: None = None
    point: Float[np.ndarray, "neurons dim"] | None = None
    moved: float | None = None
    gradient_norm_upper: float | None = None
    min_eigenvalue_lower: float | None = None
    min_eigenvalue_upper: float | None = None
    value_lower: float | None = None
    value_upper: float | None = None
    radius: float | None = None
    seconds: float = 0.0

    def summarise(self) -> Summary:
        """Return the reason in a line."""
        return Summary(f"NotProven: {self.reason}")

    @property
    def proven(self) -> Literal[False]:
        """Return `False`: nothing is proven."""
        return False

    def __bool__(self) -> Literal[False]:
        return False


@dataclass(frozen=True, eq=False, repr=False)
class Certificate(Claim):
    """A proven strict local minimum x* of the population risk F.  Truthy.

    F(W) = ½ E(Σᵢ aᵢ relu(wᵢ·x) − Σⱼ bⱼ relu(vⱼ·x))² over x ~ N(0, I), with a = `student_weights`,
    b = `teacher_weights` and the rows vⱼ of V = `teacher`.  All arrays are in the user's
    coordinates.  Norms, distances and derivatives are in the coordinates unitᵢ·wᵢ, in which F has
    the second layer aᵢ/unitᵢ; `units` are positive powers of two, all 1 where all aᵢ are equal.

    The statement, with B(r) the closed ball of radius r around `point`:

    * F has a strict local minimum x* in B(`radius`) and no other critical point in
      B(`uniqueness_radius`); `ball_radius` ≥ `uniqueness_radius`;
    * `value_lower` ≤ F(x*) ≤ `value_upper`;
    * ∇²F ≥ `min_eigenvalue_lower` > 0 throughout B(`radius`), so also at x*; |∇F(point)| ≤
      `gradient_norm_upper`; ∇²F has Lipschitz constant `lipschitz_upper` on B(`ball_radius`);
    * `point` is at most `moved` from `given`, the point that the user asked about;
    * `kind` "spurious": F(`witness`) ≤ `witness_value_upper` < `value_lower`; "global": F(x*) = 0;
      "minimum": neither is known;
    * `every_higher_dimension`: all of this holds in R^D for every D ≥ d too, all vectors padded
      with zeros, where the Hessian has the further eigenvalues of M(x) (SS18, lemma 3), all at
      least `padding_min_eigenvalue_lower` > 0 in B(`radius`).  None of them lies below all others,
      so `min_eigenvalue_lower` holds there too: pᵀMp is the mean of ∇²F[p ⊗ e, p ⊗ e] over the
      unit vectors e of R^d, since the blocks of ∇²F − M ⊗ I have trace 0 (`pairs.hessian`);
    * `teacher_digest` is the digest of `teacher` and both second layers, see `teacher.digest`; all
      eigenvalues of V Vᵀ lie between `teacher_gram_lower` and `teacher_gram_upper`.
    """

    kind: Kind
    argument: Argument
    point: Float[np.ndarray, "neurons dim"]
    given: Float[np.ndarray, "neurons dim"]
    teacher: Float[np.ndarray, "teachers dim"]
    teacher_weights: Float[np.ndarray, " teachers"]
    student_weights: Float[np.ndarray, " neurons"]
    units: Float[np.ndarray, " neurons"]
    witness: Float[np.ndarray, "neurons dim"] | None
    teacher_digest: str
    teacher_gram_lower: float
    teacher_gram_upper: float
    moved: float
    value_lower: float
    value_upper: float
    witness_value_upper: float | None
    gradient_norm_upper: float
    min_eigenvalue_lower: float
    padding_min_eigenvalue_lower: float | None
    lipschitz_upper: float
    radius: float
    uniqueness_radius: float
    ball_radius: float
    every_higher_dimension: bool
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def index(self) -> Literal[0]:
        """Return the number of negative eigenvalues of the Hessian: 0 of a minimum."""
        return 0

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        n, d = self.point.shape
        where = f"R^({n}x{d})"
        if self.every_higher_dimension:
            where += f", and padded with zeros in R^({n}xD) for every D >= {d},"
        better = {
            "minimum": "whether a lower value exists is not said",
            "spurious": f"it is not global, the witness has value at most "
            f"{self.witness_value_upper!r}",
            "global": "it is global",
        }[self.kind]
        return (
            f"The population risk of {n} ReLU students and {self._teacher()} has in {where} "
            f"a strict local minimum within {self.radius!r} of the point, of value in "
            f"[{self.value_lower!r}, {self.value_upper!r}], with Hessian eigenvalues of at least "
            f"{self.min_eigenvalue_lower!r}, and no other critical point within "
            f"{self.uniqueness_radius!r}{self._coordinates()}; {better}."
        )

    def _teacher(self) -> str:
        """Describe the teacher and the second layers, identifying the problem."""
        k, d = self.teacher.shape
        words = f"{k} teachers in R^{d}"
        if normal := orthonormal_rows(self.teacher):
            words = f"{k} orthonormal teachers in R^{d}"
        ones = bool(np.all(self.teacher_weights == 1) and np.all(self.student_weights == 1))
        parts = ["all second-layer weights 1"] if ones else []
        if not normal:
            bounds = f"[{self.teacher_gram_lower!r}, {self.teacher_gram_upper!r}]"
            parts.append(f"the eigenvalues of V V^T in {bounds}")
        if not (normal and ones):
            parts.append(f"SHA-256 of teacher and second layers {self.teacher_digest}")
        return f"{words} ({', '.join(parts)})"

    def _coordinates(self) -> str:
        """Describe the coordinates of the bounds if they are not the user's."""
        if np.all(self.units == 1):
            return ""
        units = ", ".join(repr(unit) for unit in self.units.tolist())
        return f", in the coordinates u_i w_i with u = ({units})"

    def entries(self) -> dict[str, Any]:
        """Return the fields by name."""
        return {f.name: getattr(self, f.name, None) for f in fields(self)}

    def written(self, statement: str) -> dict[str, Any]:
        """Return the JSON object of the certificate's file, with a given sentence.

        **Raises:** `CertificateError` if an array is not of float64, or a bound not a `float`.
        """
        return content(self.entries(), statement)

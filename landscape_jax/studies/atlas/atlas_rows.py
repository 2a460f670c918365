"""What an atlas says of each class of critical points."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.critical_point import Proof
from landscape_jax.summary import Tabulated


@dataclass(frozen=True)
class AtlasRow:
    """One class of critical points of n students and k orthonormal teachers.

    - `number`, among those of its size; `count`, the runs that ended there;
    - `blocks`, `teacher_blocks`: sizes of the orbits of its symmetry, see `isotropy`;
    - `kind`, `index`, `value_lower`, `value_upper`, `min_eigenvalue_lower`: of a verified
      certificate; `None`, and `reason` why, where there is none;
    - `seconds`, of proof and verification; `certificate`, the path of its file, if it was kept.
    """

    k: int
    n: int
    number: int
    count: int
    blocks: tuple[int, ...]
    teacher_blocks: tuple[int, ...]
    kind: str | None
    index: int | None
    reason: str | None
    value_lower: float | None
    value_upper: float | None
    min_eigenvalue_lower: float | None
    seconds: float
    certificate: str | None = None

    @property
    def proven(self) -> bool:
        """Whether a verified certificate says what the point is."""
        return self.kind is not None

    def to_json(self) -> dict[str, Any]:
        """Return the row as a JSON object."""
        return {
            "k": self.k,
            "n": self.n,
            "class": self.number,
            "blocks": list(self.blocks),
            "teacher_blocks": list(self.teacher_blocks),
            "count": self.count,
            "kind": self.kind,
            "index": self.index,
            "proven": self.proven,
            "reason": self.reason,
            "value_lower": self.value_lower,
            "value_upper": self.value_upper,
            "min_eigenvalue_lower": self.min_eigenvalue_lower,
            "seconds": self.seconds,
            "certificate": self.certificate,
        }


@dataclass(frozen=True, repr=False)
class Atlas(Tabulated):
    """The classes of critical points, in the order of the sizes asked for."""

    SHOWN = (
        "k", "n", "class", "blocks", "teacher_blocks", "count", "kind", "index", "value_upper",
        "min_eigenvalue_lower",
    )  # fmt: skip

    rows: tuple[AtlasRow, ...]

    def __iter__(self) -> Iterator[AtlasRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_json(self) -> dict[str, Any]:
        """Return the atlas as a JSON object."""
        return {"rows": [row.to_json() for row in self.rows]}

    def summary(self) -> str:
        """Count what is proven, in one sentence."""
        kinds = [row.kind for row in self.rows]
        counts = {kind: kinds.count(kind) for kind in ("global", "spurious", "minimum", "saddle")}
        parts = [f"{count} {kind}" for kind, count in counts.items() if count]
        open_ = kinds.count(None)
        parts += [f"{open_} not proven"] if open_ else []
        classes = "1 class" if len(self.rows) == 1 else f"{len(self.rows)} classes"
        return f"{classes}: {', '.join(parts)}"


def bounds_of(proof: Proof | NotProven, reason: str | None) -> dict[str, Any]:
    """Return what a row says of a proof; nothing where it is not verified, with the reason."""
    names = ("kind", "index", "value_lower", "value_upper", "min_eigenvalue_lower")
    holds = bool(proof) and reason is None
    found = {name: getattr(proof, name) if holds else None for name in names}
    return found | {"reason": None if holds else (reason or proof.reason)}

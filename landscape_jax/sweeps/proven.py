"""Proofs of the families of a search, each with its certificate, verified."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import jax
import jax.numpy as jnp
import numpy as np

from landscape_jax.critical.families import Families, Family
from landscape_jax.objectives.joint import JointRisk
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.proofs import (
    Certificate,
    CertificateError,
    Claim,
    NotProven,
    PointCertificate,
    SymmetricCertificate,
    Verification,
    prove_critical_point,
    verify,
)
from landscape_jax.proofs.critical_point import Proof
from landscape_jax.proofs.fixed_space import symmetric_form
from landscape_jax.proofs.problem import read_problem
from landscape_jax.search.runs import Runs
from landscape_jax.sweeps.store import Store

# What is proven about a family: the value 0 nearby, a minimum with a point of lower value, a
# minimum, or a direction of descent.
Outcome = Literal["global", "spurious", "minimum", "saddle", "undecided"]


@dataclass(frozen=True)
class Proven:
    """A family of runs, and what is proven about it.

    - `count`: runs; `restart`: the representative's index;
    - `kind`: its kind by the search, see `classify`, or the status of runs without an end;
    - `value`, `gradient_norm`, `min_eigenvalue`: at the representative; `None` where not finite;
    - `outcome`: what is proven, by a verified certificate or, for a "saddle" without one, by an
      enclosure of a negative Rayleigh quotient; `reason`: why not more;
    - `index`: how many negative eigenvalues the Hessian has, where that is proven;
    - `radius`: the critical point is within this distance of the certificate's point;
    - `certificate`: its file's path within the store, if there is one.
    """

    count: int
    restart: int
    kind: str
    value: float | None
    gradient_norm: float | None
    min_eigenvalue: float | None
    outcome: Outcome
    reason: str | None
    radius: float | None = None
    certificate: str | None = None
    index: int | None = None

    @property
    def proven(self) -> bool:
        """Whether a verified certificate proves that it is a spurious minimum."""
        return self.outcome == "spurious"


def prove_families(
    risk: PopulationRisk | JointRisk,
    found: Families,
    store: Store | None = None,
    *,
    folder: str = ".",
) -> Iterator[Proven]:
    """Prove the families of a search one by one, verify each proof, and list the remaining runs.

    If the infimum is not known to be attained, the lowest family is the witness that others are not
    global.  A point of a `JointRisk` is proven in its balanced form (see there), a point of the
    risk with second layer ±1; it is spurious if its value is positive and both layers attain 0.

    **Arguments:** `risk`, if a `JointRisk` with a homogeneous activation; `found`, from `families`;
    `store`, where certificates are kept in `folder`, and read again.

    **Returns:** an iterator, in the order of the families; then one entry for each status of the
    runs in no family.
    """
    first = jax.tree.map(jnp.asarray, found[0].representative) if found else None
    known = None if first is None else risk.known(first).infimum
    witness = None
    if found and known is None and isinstance(risk, PopulationRisk):
        witness = found[0].representative
    for family in found:
        yield _proven(risk, family, witness, known is not None, store, folder)
    yield from _unfinished(found.unconverged)


def _proven(
    risk: PopulationRisk | JointRisk,
    family: Family,
    witness: np.ndarray | None,
    lower_is_known: bool,
    store: Store | None,
    folder: str,
) -> Proven:
    """Prove one family, and verify the proof."""
    restart = int(family.restart_index[0])
    name = None if store is None else f"{folder}/restart-{restart:06d}.json"
    path = None if store is None or name is None else store.path(name)
    point = family.representative
    if isinstance(risk, PopulationRisk):
        proof, check = _proof(risk, point, witness, path)
    else:
        inner, u = risk.balanced(jax.tree.map(jnp.asarray, point))
        proof, check = _proof(cast(PopulationRisk, inner), np.asarray(u), None, path)
    outcome, reason = _outcome(proof, check, lower_is_known=lower_is_known)
    # The certificate is of other weights of the second layer: with those of the teacher F is 0.
    if isinstance(risk, JointRisk) and lower_is_known and proof and check:
        minimum = proof.kind in ("minimum", "spurious")
        outcome = "spurious" if minimum and proof.value_lower > 0 else outcome
        reason = None if outcome == "spurious" else reason
    return Proven(
        count=family.count,
        restart=restart,
        kind=family.kind,
        value=_finite(family.value),
        gradient_norm=_finite(family.gradient_norm),
        min_eigenvalue=_finite(family.min_eigenvalue),
        outcome=outcome,
        reason=reason,
        radius=proof.radius,
        certificate=name if proof else None,
        index=proof.index if proof and check else None,
    )


def _proof(
    risk: PopulationRisk, point: np.ndarray, witness: np.ndarray | None, path: Path | None
) -> tuple[Proof | NotProven, Verification | None]:
    """Return the certificate at `path`, or compute it, and whether it holds."""
    if path is not None and path.exists():
        with suppress(CertificateError):  # Of another version, or damaged: computed again.
            kept = Claim.load(path)
            if _is_of(kept, risk, point):
                check = verify(kept, risk)
                if check and isinstance(kept, Proof):
                    return kept, check
    proof = prove_critical_point(risk, point, witness=witness)
    if isinstance(proof, NotProven):
        return proof, None
    if path is not None:
        proof.save(path)
    return proof, verify(proof, risk)


def _is_of(kept: Claim, risk: PopulationRisk, point: np.ndarray) -> bool:
    """Check whether a kept certificate was made of this point."""
    if isinstance(kept, Certificate | PointCertificate):
        return np.array_equal(kept.given, point)
    form = symmetric_form(read_problem(risk, point), np.asarray(point, np.float64))
    if not isinstance(kept, SymmetricCertificate) or form is None:
        return False
    blocks, values, _ = form
    same = (blocks.students, blocks.teachers) == (kept.blocks, kept.teacher_blocks)
    # The proof polished the values; other points of the same blocks are further away.
    return same and bool(np.abs(values - kept.values).max() <= 1e-6 * np.abs(kept.values).max())


def _outcome(
    proof: Proof | NotProven, check: Verification | None, *, lower_is_known: bool
) -> tuple[Outcome, str | None]:
    """Return what is proven, and why not more; `None` if nothing more can be."""
    if isinstance(proof, NotProven):
        descends = proof.min_eigenvalue_upper is not None and proof.min_eigenvalue_upper < 0
        return ("saddle" if descends else "undecided"), proof.reason
    if not check:
        reason = "" if check is None else check.reason
        return "undecided", f"the certificate is not confirmed: {reason}"
    if proof.kind != "minimum":
        return proof.kind, None
    reason = "a strict local minimum is proven, but no point of lower value is known."
    return "minimum", reason if lower_is_known else None


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _unfinished(runs: Runs) -> Iterator[Proven]:
    """Describe the runs in no family, one entry a status."""
    names = runs.status_names if len(runs) else np.empty(0, str)
    for status in dict.fromkeys(names.tolist()):
        places = np.flatnonzero(names == status)
        first = int(runs.restart_index[places[0]])
        reason = f"these runs came to no end, their status is {status!r}."
        yield Proven(len(places), first, status, None, None, None, "undecided", reason)

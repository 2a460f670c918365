"""Claims in rational numbers, which are checked exactly: no rounding, no tolerance."""

import hashlib
import json
import platform
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar, TypeVar

from flint import arb, fmpq, fmpq_mat, fmpz

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.claim import Claim
from landscape_jax.proofs.rational_file import MOST_NUMBERS, Shapes, write_entries

# A common denominator, and the largest numerator, of all numbers of a claim.
MOST_BITS = 100_000
# Products of entries, each taking the time of its bits and of so many more: some seconds.
PRODUCT_BITS = 1000
MOST_WORK = 5_000_000_000
# Fractions of more digits are rounded in sentences.
_LONGEST = 40

Some = TypeVar("Some", bound="RationalClaim")


class RationalClaim(Claim):
    """A claim of rational numbers: `fmpq`, tuples of them, and `fmpq_mat`.

    - `KIND`: the kind in its file; `SHAPES`: its fields, see `rational_file`.
    """

    KIND: ClassVar[str]
    SHAPES: ClassVar[Shapes]

    @abstractmethod
    def objections(self) -> Iterator[str]:
        """Yield what is not proven, in exact arithmetic, cheapest checks first."""

    def written(self, statement: str) -> dict[str, Any]:
        """Return the JSON object of the claim's file, with a given sentence."""
        entries = {name: getattr(self, name, None) for name in self.SHAPES}
        versions = getattr(self, "versions", None)
        return write_entries(self.KIND, statement, entries, self.SHAPES, versions)

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all numbers of the claim, which its sentence names."""
        numbers = {name: self.written("")[name] for name in self.SHAPES}
        text = json.dumps([self.KIND, numbers], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def too_large(self, products: int) -> Iterator[str]:
        """Object if a check with so many products of numbers would take too long.

        Sums and products of the numbers have a power of their common denominator as denominator,
        so its length bounds the length of all that is computed.
        """
        common, top = fmpz(1), 0
        for count, entry in enumerate(self._numbers()):
            common = common.lcm(entry.q)
            top = max(top, entry.p.bit_length())
            if max(common.bit_length(), top) > MOST_BITS or count > MOST_NUMBERS:
                yield "its numbers are too many, or have too many digits, to be checked."
                return
        if products * (common.bit_length() + top + PRODUCT_BITS) > MOST_WORK:
            yield "the problem is too large to be checked."

    def _numbers(self) -> Iterator[fmpq]:
        for name in self.SHAPES:
            entry = getattr(self, name)
            if isinstance(entry, fmpq):
                yield entry
            else:
                entries = entry.entries() if isinstance(entry, fmpq_mat) else entry
                yield from (t for t in entries if t is not None)


def checked(claim: Some) -> Some | NotProven:
    """Return a claim that passes its own check, else `NotProven` with the first objection."""
    reason = next(claim.objections(), None)
    return claim if reason is None else NotProven(reason)


@cache
def versions() -> dict[str, str]:
    """Return the versions of what a claim in rational numbers rests on."""
    found = {"landscape_jax": version("landscape-jax"), "python": platform.python_version()}
    return found | {"python-flint": version("python-flint")}


def shown(number: fmpq) -> str:
    """Return a rational number for a sentence: exactly, or to 15 digits where it is long."""
    text = str(number)
    if len(text) <= _LONGEST:
        return text
    with working_precision(128):
        return f"about {arb(number).str(15, radius=False)}"


def dot(a: Sequence[fmpq], b: Sequence[fmpq]) -> fmpq:
    """Return the inner product of two vectors, over one common denominator."""
    return times([a], b)[0]


def times(rows: Sequence[Sequence[fmpq]], vector: Sequence[fmpq]) -> list[fmpq]:
    """Return the inner products of the rows of a matrix with a vector."""
    size = len(vector)
    if not (rows and size):
        return [fmpq(0)] * len(rows)
    column = fmpq_mat(size, 1, list(vector))
    return (fmpq_mat(len(rows), size, [t for row in rows for t in row]) * column).entries()

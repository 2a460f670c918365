"""Claims: proven statements, each with a file from which `verify` checks it by itself."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Literal, TypeVar

from landscape_jax.files import write_json
from landscape_jax.mistakes import explained
from landscape_jax.proofs.certificate_file import CertificateError
from landscape_jax.summary import Summarised, Summary

Some = TypeVar("Some", bound="Claim")


class Claim(Summarised, ABC):
    """A proven statement that can be kept in a file.  Truthy.

    - `Certificate`: a strict local minimum of a population risk, in ball arithmetic.
    - `SymmetricCertificate`: a critical point of one that permutations fix, of any index.
    - `PointCertificate`: a saddle, or an exhibited global minimum, of one.
    - `SplitCertificate`: a critical point of one with split neurons.
    - `SpuriousOnData`: a spurious minimum of an empirical risk, in rational arithmetic.
    - `MinimumOnData`: a local minimum of a ReLU network on data, in rational arithmetic.
    - `SaddleOnData`: a saddle of one, in rational arithmetic.
    - `RegionBound`: a lower bound of the loss in an activation region, in rational arithmetic.
    - `LossBound`: a lower bound of the loss of all networks of a width, in rational arithmetic.

    A claim made here is proven; one read from a file must be checked by `verify`.  Where nothing is
    proven there is a `NotProven`, with the same `proven` and `reason`, which is falsy.
    """

    @property
    def proven(self) -> Literal[True]:
        """Return `True`: the statement is proven."""
        return True

    @property
    def reason(self) -> None:
        """Return `None`: nothing is missing for a proof."""
        return None

    def __bool__(self) -> Literal[True]:
        return True

    def summarise(self) -> Summary:
        """Return the class and the statement in a line."""
        return Summary(f"{type(self).__name__}: {self.statement}")

    @property
    @abstractmethod
    def statement(self) -> str:
        """Return what is proven in one sentence, with its numbers."""

    @abstractmethod
    def written(self, statement: str) -> dict[str, Any]:
        """Return the JSON object of the claim's file, with a given sentence.

        **Raises:** `CertificateError` if a field has a type that the file cannot hold.
        """

    @explained
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the claim as JSON, whole or not at all.

        **Returns:** the path.

        **Raises:** `CertificateError` if a field has a type that the file cannot hold.
        """
        write_json(Path(path), self.written(self.statement))
        return Path(path)

    @classmethod
    @explained
    def load(cls: type[Some], path: str | os.PathLike[str]) -> Some:
        """Read a claim of this class, or of any class by `Claim.load`; `verify` decides its truth.

        **Raises:** `CertificateError` if the file holds no claim, or one of another class;
        `OSError` if it cannot be opened.
        """
        # The reader knows all classes of claims, so it can only be imported after them.
        from landscape_jax.proofs.claim_file import read

        found, _ = read(path)
        if not isinstance(found, cls):
            raise CertificateError(f"{path}: not a {cls.__name__} but a {type(found).__name__}.")
        return found

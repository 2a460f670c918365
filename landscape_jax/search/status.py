"""How a run ended."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np


class Status(eqx.Enumeration):
    """How a run ended; carried through the loop, one for each run."""

    running = "still descending"
    converged = "the gradient norm of every neuron fell to the tolerance"
    below_value = "the value fell below the threshold at which the search stops"
    escaping = "the run diverges to infinity, as far as it was followed: choose another start"
    max_steps = "the steps ran out: raise max_steps, or the learning rate"
    diverged = "the parameters grew without bound at every step size tried: lower the learning rate"
    nonfinite = "the value or gradient is not finite at every step size tried: inspect the start"
    undecided = "the gradient vanished, but the precision does not decide whether at a minimum"
    stopped = "the given rule `stop` returned True"


def names(status: Any) -> np.ndarray:
    """Return the names of statuses, items of one enumeration, an array of strings."""
    known = list(status._enumeration._name_to_item)
    return np.asarray(np.array(known)[np.asarray(status._value)])


def status_of(names: Sequence[str] | np.ndarray) -> Status:
    """Return the statuses of these names, of the same shape.

    **Raises:** `ValueError` if a name is not that of a status.
    """
    given, known = np.asarray(names, object), list(Status._name_to_item)
    flat = [str(name) for name in given.ravel().tolist()]
    if unknown := sorted(set(flat) - set(known)):
        raise ValueError(f"{unknown[0]!r} is no status; there are {', '.join(known)}")
    codes = np.array([known.index(name) for name in flat], np.int32).reshape(given.shape)
    return jax.tree.map(lambda _: codes, Status.running)

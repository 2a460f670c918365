"""Runs that descended in float32 on an accelerator, finished in float64 on the CPU beside it."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, PyTree

from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.precision import require_float64
from landscape_jax.search.restarts import restart
from landscape_jax.search.runs import Runs


@explained
def finish_on_host(
    objective: AbstractObjective, runs: Runs, *, room: int | None = None, **settings: Any
) -> Runs:
    """Continue runs of a search in float32 from their ends, in float64 on the CPU.

    Devices without float64 (TPUs), or with little of it, descend in float32, to a gradient norm of
    1e-5; the last decades are Newton's work, which takes few steps and float64.  Runs that
    diverged or escape, or are not finite, stay as they are.

    **Arguments:** `objective`; `runs`; `room`, as of `restart`; `settings`, arguments of `restart`
    such as `below_value` and, where the first search had them, the same `levels`.

    **Returns:** `Runs` of float64, with the steps of both added up; levels that the first search
    passed keep its steps.

    **Raises:** `ValueError` if float64 is off; what `restart` raises.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> jax.config.update("jax_enable_x64", True)
    >>> risk = lj.PopulationRisk(jnp.eye(3))
    >>> start = lj.starts.gaussian((3, 3), dtype=jnp.float32)
    >>> fast = lj.restart(risk, start, 8, key=jax.random.key(0), below_value=None)
    >>> fine = lj.finish_on_host(risk, fast, below_value=None)
    >>> fine.params.dtype.name, bool((fine.gradient_norm < 1e-9).all())
    ('float64', True)

    ```
    """
    require_float64("finish_on_host")
    ended = runs.is_finite & ~np.isin(runs.status_names, ("diverged", "nonfinite", "escaping"))
    first = runs.map(np.asarray)
    with jax.default_device(jax.devices("cpu")[0]):
        if not ended.any():
            return first.map(jnp.asarray)
        start = jax.tree.map(_in_float64, first.params)
        more = restart(
            jax.tree.map(_on_host, objective),
            start,
            np.flatnonzero(ended),
            room=len(runs) if room is None else room,
            **settings,
        ).map(np.asarray)
        return _joined(first, start, more, ended)


def _in_float64(leaf: Any) -> Any:
    """Return floating arrays in float64 on the host, and what else there is as it is."""
    floating = eqx.is_array(leaf) and jnp.issubdtype(leaf.dtype, jnp.floating)
    return jnp.asarray(np.asarray(leaf, np.float64)) if floating else leaf


def _on_host(leaf: Any) -> Any:
    return jnp.asarray(np.asarray(leaf)) if isinstance(leaf, jax.Array) else leaf


def _joined(first: Runs, start: PyTree, more: Runs, ended: Bool[np.ndarray, " runs"]) -> Runs:
    """Write what continued runs came to in the place of where they began."""

    def write(old: Any, new: Any) -> Any:
        if not eqx.is_array(old):
            return old
        whole = np.array(old, np.asarray(new).dtype)
        whole[ended] = new
        return jnp.asarray(whole)

    def added(old: Any, new: Any) -> Any:
        return None if old is None else write(old, np.asarray(old)[ended] + new)

    shapes = [None if runs.steps_to is None else runs.steps_to.shape[1] for runs in (first, more)]
    if None not in shapes and shapes[0] != shapes[1]:
        raise ValueError(f"levels has {shapes[1]} values; the first search had {shapes[0]}")
    passed = None if first.steps_to is None else jnp.asarray(first.steps_to)
    if passed is not None and more.steps_to is not None:
        later = np.asarray(first.descent_steps)[ended, None] + more.steps_to
        passed = write(passed, np.where(np.isnan(passed[ended]), later, passed[ended]))
    return Runs(
        params=jax.tree.map(write, start, more.params),
        value=write(first.value, more.value),
        gradient_norm=write(first.gradient_norm, more.gradient_norm),
        steps=added(first.steps, more.steps),
        status=jax.tree.map(write, first.status, more.status),
        restart_index=jnp.asarray(first.restart_index),
        descent_steps=added(first.descent_steps, more.descent_steps),
        steps_to=passed,
        key=first.key,
        lanes=first.lanes,
    )

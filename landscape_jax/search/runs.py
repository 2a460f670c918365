"""The ends of descents: where each run ended, and how."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from landscape_jax.objectives.seed import Seed
from landscape_jax.search.status import Status, names
from landscape_jax.summary import Summarised, Summary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


class Runs(Summarised, eqx.Module):
    """The ends of descents, one per leading entry of every field but the last two.

    - `params`: the end points, a pytree with a leading axis.
    - `value`: F there.
    - `gradient_norm`: the largest norm of a neuron's gradient there.
    - `steps`: steps of descent, those before a halving of the step included, pseudo-transient steps
      not counted.
    - `status`: a `Status` each.
    - `restart_index`: which restart each is; its key is `fold_in(key, restart_index)`.
    - `descent_steps`: how many steps plain descent takes to that end: `steps`, and an estimate of
      those that the Newton finish replaced (see `Polish`); `None` for given points.
    - `steps_to`: how many of these `descent_steps` lead below each of the `levels` that `restart`
      was given, as inspections found it; NaN where a run never was there; `None` without levels.
    - `seed`: the data of `key`, that all initial points were drawn from; `None` where they were
      given.
    - `lanes`: how many runs descended at a time.
    """

    params: PyTree
    value: Float[Array, " restarts"]
    gradient_norm: Float[Array, " restarts"]
    steps: Int[Array, " restarts"]
    status: Status
    restart_index: Int[Array, " restarts"]
    descent_steps: Float[Array, " restarts"] | None
    steps_to: Float[Array, "restarts levels"] | None
    seed: Seed | None
    lanes: int | None = eqx.field(static=True)

    def __init__(
        self,
        params: PyTree,
        value: Array,
        gradient_norm: Array,
        steps: Array,
        status: Status,
        restart_index: Array,
        descent_steps: Array | None = None,
        steps_to: Array | None = None,
        key: Key[Array, "..."] | None = None,
        lanes: int | None = None,
    ):
        self.params, self.value, self.gradient_norm = params, value, gradient_norm
        self.steps, self.status, self.restart_index = steps, status, restart_index
        self.descent_steps, self.steps_to, self.lanes = descent_steps, steps_to, lanes
        self.seed = None if key is None else Seed.of(key)

    @property
    def key(self) -> Key[Array, "..."] | None:
        """The key that all initial points were drawn from; `None` where they were given."""
        return None if self.seed is None else self.seed.key

    def __len__(self) -> int:
        return self.value.shape[0]

    def __repr__(self) -> str:
        """Return what there is in a line: a run each would be a thousand lines."""
        return self.summarise().title

    def summarise(self) -> Summary:
        """Return how many runs ended in each status, at what values, after how many steps."""
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(self)):
            return Summary("Runs(traced)")
        if jnp.ndim(self.value) == 0:
            value, status = float(self.value), self.status_names.item()
            return Summary(f"Runs(restart {int(self.restart_index)}: {status}, value {value:.6g})")
        values, steps = np.asarray(self.value), np.asarray(self.steps)
        rows = []
        for status, count in self.summary().items():
            chosen = self.status_names == status
            rows.append(
                (status, str(count), *_span(values[chosen]), f"{np.median(steps[chosen]):g}")
            )
        parts = [f"{count} {status}" for status, count, *_ in rows]
        low, high = _span(values)
        span = f"; value {low} to {high}" if low else ""
        title = f"Runs({len(self)}: {', '.join(parts)}{span})" if parts else "Runs(0)"
        heads = ("status", "runs", "lowest value", "highest value", "median steps")
        return Summary(title, heads, rows)

    def __getitem__(self, chosen: int | slice | np.ndarray | Array | Sequence) -> "Runs":
        """Return one run without the leading axis, or those of a slice, mask or index array.

        **Raises:** `IndexError` if an index is out of range, or a mask of another length.
        """
        if isinstance(chosen, bool | np.bool_):
            raise IndexError(f"the index is {chosen}; give an integer, a slice, a mask or indices")
        if isinstance(chosen, int | np.integer):
            place = range(len(self))[chosen]
            return self.map(lambda leaf: leaf[place])
        plain = isinstance(chosen, slice | list)
        index = np.arange(len(self))[chosen if plain else np.asarray(chosen)]
        if index.ndim > 1:
            raise IndexError(f"the indices have shape {index.shape}; give one axis of them")
        return self.map(lambda leaf: leaf[index])

    def __iter__(self) -> Iterator["Runs"]:
        return (self[i] for i in range(len(self)))

    def map(self, function: Callable[..., Any], *others: "Runs") -> "Runs":
        """Apply a function to every array that has an entry a run, of these and of others.

        What else params hold, such as the activation of an `eqx.nn.MLP`, stays as it is here.
        """
        shared = ("seed", "lanes")
        fields = [f.name for f in dataclasses.fields(self) if f.name not in shared]
        each = [[getattr(runs, name) for name in fields] for runs in (self, *others)]

        def apply(leaf: Any, *more: Any) -> Any:
            return function(leaf, *more) if eqx.is_array(leaf) else leaf

        return eqx.tree_at(
            lambda runs: [getattr(runs, name) for name in fields],
            self,
            jax.tree.map(apply, *each),
            is_leaf=lambda leaf: leaf is None,
        )

    @staticmethod
    def concatenate(parts: "Sequence[Runs]") -> "Runs":
        """Join runs of one search, in the order of their restarts.

        **Raises:** `ValueError` if there are none.
        """
        if not parts:
            raise ValueError("parts is empty; give at least one Runs")
        first, *more = parts
        index = np.concatenate([np.asarray(part.restart_index) for part in parts])
        order = np.argsort(index, kind="stable")
        return first.map(lambda *leaves: jnp.asarray(np.concatenate(leaves)[order]), *more)

    @property
    def is_converged(self) -> Bool[np.ndarray, " restarts"]:
        """Whether the gradient fell to the tolerance."""
        return np.asarray(self.status == Status.converged)

    @property
    def is_below_value(self) -> Bool[np.ndarray, " restarts"]:
        """Whether the run was stopped because its value fell below the threshold."""
        return np.asarray(self.status == Status.below_value)

    @property
    def is_escaping(self) -> Bool[np.ndarray, " restarts"]:
        """Whether the run diverges to infinity, where there is no minimum."""
        return np.asarray(self.status == Status.escaping)

    @property
    def is_finite(self) -> Bool[np.ndarray, " restarts"]:
        """Whether value, gradient and parameters are finite at the end."""
        params = filter(eqx.is_array, jax.tree.leaves(self.params))
        parts = [self.value, self.gradient_norm, *params]
        rows = [np.isfinite(np.asarray(p)).reshape(len(self), -1).all(axis=1) for p in parts]
        return np.all(rows, axis=0)

    @property
    def status_names(self) -> np.ndarray:
        """The status of each run by name, an array of strings."""
        return names(self.status)

    def best(self) -> "Runs":
        """Return the run of the lowest value, without the leading axis.

        **Raises:** `ValueError` if no value is finite.
        """
        values = np.asarray(self.value)
        if not np.isfinite(values).any():
            raise ValueError("no run has a finite value")
        return self[int(np.nanargmin(np.where(np.isfinite(values), values, np.nan)))]

    def summary(self) -> dict[str, int]:
        """Count the runs by status.

        ```python
        >>> import jax, jax.numpy as jnp, landscape_jax as lj
        >>> risk = lj.PopulationRisk(jnp.eye(2))
        >>> lj.restart(risk, lj.starts.gaussian((2, 2)), 10, key=jax.random.key(0)).summary()
        {'below_value': 10}

        ```
        """
        return dict(Counter(self.status_names.ravel().tolist()).most_common())

    def to_dataframe(self) -> "pd.DataFrame":
        """Return what is one number a run as a pandas table, a row a run; see `to_xarray`.

        ```python
        >>> import jax, jax.numpy as jnp, landscape_jax as lj
        >>> risk = lj.PopulationRisk(jnp.eye(2))
        >>> runs = lj.restart(risk, lj.starts.gaussian((2, 2)), 10, key=jax.random.key(0))
        >>> sorted(runs.to_dataframe().columns)
        ['descent_steps', 'gradient_norm', 'status', 'steps', 'value']

        ```
        """
        labelled = self.to_xarray()
        single = [name for name, part in labelled.data_vars.items() if part.dims == ("restart",)]
        return labelled[single].to_dataframe()

    def to_xarray(self) -> "xr.Dataset":
        """Return the runs as labelled arrays; see `search.labelled`.

        The dimension `restart` holds the indices.  `params` is one variable where it is a bare
        array, with dimensions `neuron` and `coordinate` where it is a matrix; else there is one for
        each leaf, `params.` and its path, e.g. `params.W1`.  `status` holds names.

        ```python
        >>> import jax, jax.numpy as jnp, landscape_jax as lj
        >>> risk = lj.PopulationRisk(jnp.eye(2))
        >>> runs = lj.restart(risk, lj.starts.gaussian((3, 2)), 10, key=jax.random.key(0))
        >>> dict(runs.to_xarray().sizes)
        {'restart': 10, 'neuron': 3, 'coordinate': 2}

        ```
        """
        from landscape_jax.search.labelled import to_xarray

        return to_xarray(self)

    @staticmethod
    def from_xarray(labelled: "xr.Dataset", like: PyTree = None) -> "Runs":
        """Return the runs that `to_xarray` has labelled.

        **Arguments:** `labelled`; `like`, params of one run (arrays or their shapes) where they are
        neither arrays in dicts, lists and tuples nor our networks with named activations.

        **Raises:** `ValueError` if a variable is missing or misshaped, or a status is not known.
        """
        from landscape_jax.search.labelled import from_xarray

        return from_xarray(labelled, like)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the runs atomically as a new zarr store, which `xarray.open_zarr` reads.

        **Raises:** `ValueError` if `path` exists, or its parent directory does not.

        ```python
        >>> import jax, jax.numpy as jnp, landscape_jax as lj, tempfile
        >>> risk = lj.PopulationRisk(jnp.eye(2))
        >>> runs = lj.restart(risk, lj.starts.gaussian((2, 2)), 10, key=jax.random.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     runs.save(folder + "/runs.zarr")
        ...     lj.Runs.load(folder + "/runs.zarr").summary()
        {'below_value': 10}

        ```
        """
        from landscape_jax.search.labelled import save

        save(self, path)

    @staticmethod
    def load(path: str | PathLike[str], like: PyTree = None) -> "Runs":
        """Read runs that `save` has written; `like` as for `from_xarray`.

        **Raises:** `ValueError` if there is no such store, or it is damaged.
        """
        from landscape_jax.search.labelled import load

        return load(path, like)


def _span(values: Float[np.ndarray, " runs"]) -> tuple[str, str]:
    """Write the lowest and the highest finite value; nothing where none is finite."""
    finite = values[np.isfinite(values)]
    return (f"{finite.min():.6g}", f"{finite.max():.6g}") if len(finite) else ("", "")

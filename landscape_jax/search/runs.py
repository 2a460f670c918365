"""What thousands of descents leave: the end points, and how each came to its end."""

from collections import Counter

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from landscape_jax.search.status import Status


class Runs(eqx.Module):
    """The ends of descents, one a leading entry of every field.

    - `params`: the end points, a pytree with a leading axis.
    - `value`: F there.
    - `gradient_norm`: the largest norm of a neuron's gradient there.
    - `steps`: steps of descent, those before a halving of the step included, leaps not counted.
    - `status`: a `Status` each.
    - `restart_index`: which restart each is; its key is `fold_in(key, restart_index)`.
    """

    params: PyTree
    value: Float[Array, " restarts"]
    gradient_norm: Float[Array, " restarts"]
    steps: Int[Array, " restarts"]
    status: Status
    restart_index: Int[Array, " restarts"]

    def __len__(self) -> int:
        return self.value.shape[0]

    def __getitem__(self, chosen: int | slice | np.ndarray | Array) -> "Runs":
        """Return one run without the leading axis, or those of a slice, mask or index array.

        **Raises:** `IndexError` for an index outside.
        """
        if isinstance(chosen, int | np.integer):
            place = range(len(self))[chosen]
            return jax.tree.map(lambda leaf: leaf[place], self)
        index = np.arange(len(self))[chosen if isinstance(chosen, slice) else np.asarray(chosen)]
        return jax.tree.map(lambda leaf: leaf[index], self)

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
        """Whether the run left for infinity, where no minimum is."""
        return np.asarray(self.status == Status.escaping)

    @property
    def is_finite(self) -> Bool[np.ndarray, " restarts"]:
        """Whether value, gradient and parameters are finite at the end."""
        parts = [self.value, self.gradient_norm, *jax.tree.leaves(self.params)]
        rows = [np.isfinite(np.asarray(p)).reshape(len(self), -1).all(axis=1) for p in parts]
        return np.all(rows, axis=0)

    @property
    def status_names(self) -> np.ndarray:
        """How each run ended, by name, an array of strings."""
        return np.array(list(Status._name_to_item))[np.asarray(self.status._value)]

    def summary(self) -> dict[str, int]:
        """Count the runs by status.

        ```python
        >>> import jax, jax.numpy as jnp, landscape_jax as lj
        >>> risk = lj.PopulationRisk(jnp.eye(2))
        >>> lj.restart(risk, lj.starts.gaussian((2, 2)), 10, key=jax.random.key(0)).summary()
        {'below_value': 10}

        ```
        """
        return dict(Counter(self.status_names.tolist()).most_common())

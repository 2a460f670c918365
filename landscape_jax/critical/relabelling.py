"""Group elements of hidden neurons, and the exact search for the best one of a single layer."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from landscape_jax.critical.normal_form import NormalForm, along
from landscape_jax.objectives.hidden_neurons import HiddenNeurons


@dataclass(frozen=True, eq=False)
class Relabelling:
    """A group element that carries a member's params onto its representative's; call it with those.

    For each hidden layer: neuron i of the representative is neuron `permutations[i]` of the member,
    flipped where `signs[i]` is −1, and multiplied by `scales[i]` to the power of each leaf.
    `residual`: the member's distance to the representative after that, both in normal form.
    """

    layers: tuple[HiddenNeurons, ...]
    permutations: tuple[Int[np.ndarray, " _"], ...]
    signs: tuple[Int[np.ndarray, " _"], ...]
    scales: tuple[Float[np.ndarray, " _"], ...]
    residual: float

    def __call__(self, params: PyTree) -> PyTree:
        """Return the params of one point, carried by this element."""
        leaves, structure = jax.tree.flatten(params, is_leaf=lambda leaf: leaf is None)
        for layer, group in enumerate(self.layers):
            for i, (axis, flip, power) in enumerate(group.parts(params)):
                if axis is not None and leaves[i] is not None:
                    leaves[i] = self._moved(layer, np.asarray(leaves[i]), axis, flip, power)
        return jax.tree.unflatten(structure, leaves)

    def _moved(
        self, layer: int, leaf: np.ndarray, axis: int, flip: int, power: int | float
    ) -> np.ndarray:
        factor = np.where(self.signs[layer] < 0, flip, 1) * self.scales[layer] ** power
        moved = np.take(leaf, self.permutations[layer], axis)
        return moved * along(factor[None], axis, leaf.ndim + 1)[0].astype(leaf.dtype)


@dataclass(frozen=True, eq=False)
class Assignment:
    """The exact search for networks of one hidden layer; make it with `of`.

    The order of the neurons is a linear assignment, of cost min over the flips of
    ‖row_i − row'_j‖², infinite where the fixed parts of both differ.

    `rows`: a neuron's parts of all leaves; `flips`: the factor of each entry under a flip; `rest`:
    the entries that belong to no neuron; `alike`: see `NormalForm.alike`.
    """

    form: NormalForm
    rows: Float[np.ndarray, "points neurons entries"]
    flips: Int[np.ndarray, " entries"]
    rest: Float[np.ndarray, "points others"]
    lengths: Float[np.ndarray, " points"]
    alike: Bool[np.ndarray, "signs neurons neurons"]

    @classmethod
    def of(cls, form: NormalForm) -> "Assignment":
        """Prepare all points."""
        parts = form.parts(0)
        entries = [part.values.shape[2] for part in parts]
        return cls(
            form=form,
            rows=np.concatenate([part.values for part in parts], axis=2),
            flips=np.repeat([part.flip for part in parts], entries),
            rest=form.rest(),
            lengths=form.lengths,
            alike=form.alike(0),
        )

    def find(self, head: int, end: int, tolerance: float) -> Relabelling | None:
        """Find the element that brings `end` closest to `head`.

        **Returns:** the element, or `None` if the remaining distance is above `tolerance` times the
        larger norm of both.
        """
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist

        moved = (self.rows[end], self.rows[end] * self.flips)
        costs = np.stack(
            [
                np.where(allowed, cdist(self.rows[head], source, "sqeuclidean"), np.inf)
                for allowed, source in zip(self.alike, moved, strict=False)
            ]
        )
        order = linear_sum_assignment(costs.min(axis=0))[1]
        chosen = costs[:, np.arange(len(order)), order]
        signs = np.where(np.argmin(chosen, axis=0) > 0, -1, 1)
        square = chosen.min(axis=0).sum() + np.sum((self.rest[head] - self.rest[end]) ** 2)
        residual = float(np.sqrt(square))
        if residual > tolerance * max(self.lengths[[head, end]]):
            return None
        return relabelling(self.form, head, end, [order], [signs], residual)


def relabelling(
    form: NormalForm,
    head: int,
    end: int,
    orders: list[Int[np.ndarray, " _"]],
    signs: list[Int[np.ndarray, " _"]],
    residual: float,
) -> Relabelling:
    """Add to an element the scales that carry `end` onto `head`, both as given."""
    scales = [
        scale[end % len(scale)][order] / scale[head % len(scale)]
        for scale, order in zip(form.scales, orders, strict=True)
    ]
    return Relabelling(form.layers, tuple(orders), tuple(signs), tuple(scales), residual)

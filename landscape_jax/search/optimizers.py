"""Steps of any optax transformation, those with a line search or an adaptive rate included."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import optax
from jaxtyping import PyTree, Scalar

from landscape_jax.mistakes import shown
from landscape_jax.objectives.base import AbstractObjective


@runtime_checkable
class Optimizer(Protocol):
    """What `restart` takes for an optax transformation."""

    @property
    def init(self) -> Callable[..., Any]:
        """From parameters to the state before the first step."""
        ...

    @property
    def update(self) -> Callable[..., Any]:
        """From gradient, state and parameters to their change and the new state."""
        ...


def checked_optimizer(optimizer: Any) -> None:
    """Check for an optax transformation, or `None`.

    **Raises:** `TypeError` if it is something else, with what to write instead.
    """
    if optimizer is None or (isinstance(optimizer, Optimizer) and not isinstance(optimizer, type)):
        return
    name = optimizer if isinstance(optimizer, str) else getattr(optimizer, "__name__", "")
    example = f"optax.{name.lower()}(1e-2)" if hasattr(optax, name.lower()) else "optax.adam(1e-2)"
    if isinstance(optimizer, int | float):
        example = f"optax.sgd({optimizer})"
    raise TypeError(
        f"optimizer is {shown(optimizer)}; give an optax transformation, such as {example}"
    )


def first_memory(optimizer: Optimizer, params: PyTree) -> optax.OptState:
    """Return an optimizer's state before its first step."""
    return _call(optimizer.init, params)


def take_step(
    optimizer: Optimizer,
    objective: AbstractObjective,
    params: PyTree,
    memory: optax.OptState,
    scale: Scalar,
) -> tuple[PyTree, optax.OptState]:
    """Take one step, its update multiplied by `scale`; return parameters and optimizer state.

    Value and gradient, computed together, and the objective as a function are passed on as `value`,
    `grad` and `value_fn`, which transformations with a line search or an adaptive rate ask for.
    """
    value, gradient = jax.value_and_grad(objective)(params)
    # Of the types of optax only this one ignores arguments that it does not know.
    if isinstance(optimizer, optax.GradientTransformation):
        optimizer = optax.with_extra_args_support(optimizer)

    def step(**extra: Any) -> tuple[PyTree, optax.OptState]:
        updates, changed = optimizer.update(gradient, memory, params, **extra)
        updates = jax.tree.map(lambda u: scale * u, updates)
        # Refused here, where it is clear whose state it is, and not by the loop that carries it.
        jax.tree.map(lambda *_: None, changed, memory)
        return optax.apply_updates(params, updates), changed

    def step_with_extra_args() -> tuple[PyTree, optax.OptState]:
        try:
            return step(value=value, grad=gradient, value_fn=lambda params: objective(params))
        except TypeError as refusal:
            # Some refuse arguments that they do not know.
            try:
                return step()
            except Exception:
                raise refusal from None

    return _call(step_with_extra_args)


def _call(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of an optimizer; what it raises is about the optimizer, so say so."""
    try:
        with jax.numpy_dtype_promotion("standard"):
            return function(*args)
    except Exception as error:
        reason = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])
        raise TypeError(
            "optimizer does not work with these parameters alone; give an optax transformation "
            f"that asks for no more than value, grad and value_fn, e.g. optax.adam(1e-2) ({reason})"
        ) from error

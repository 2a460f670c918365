"""The population risk by Monte Carlo: on fixed samples or on fresh ones, in bounded memory."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Scalar

from landscape_jax.arrays import checked, count, is_traced
from landscape_jax.mistakes import explained
from landscape_jax.networks.activations import Activation, Function
from landscape_jax.objectives.base import AbstractObjective, Known
from landscape_jax.objectives.function_module import FunctionModule
from landscape_jax.objectives.isometries import student_neurons
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.objectives.protocols import Attained
from landscape_jax.objectives.seed import Seed
from landscape_jax.objectives.teacher import checked_students, plain


class Estimate(NamedTuple):
    """A sample mean, its standard error, and the number of samples behind it."""

    value: Scalar
    standard_error: Scalar
    samples: int


class MonteCarloRisk(AbstractObjective):
    """The squared loss of a student against a teacher, averaged over samples x ~ N(0, I).

    F(W) = (1/N) Σₛ ½ (Σᵢ aᵢ φ(wᵢ·xₛ) − Σⱼ bⱼ φ(vⱼ·xₛ))²

    Samples are processed a chunk at a time, also under `grad`, so that memory does not grow
    with their number.  Any activation will do; where it jumps, as `step` does, the gradient on
    samples is not that of the expectation.

    **Arguments:** those of `PopulationRisk`, and

    - `samples`: an array, shape (N, d), of fixed samples; or a number N, of samples drawn afresh
      from `key` in every call and never stored.
    - `key`: the key of fresh samples.  The same key draws the same samples; `estimate` accepts
      another one for each call.
    - `chunk`: samples held at a time.

    **Raises:** as `PopulationRisk`; `TypeError` if `chunk` is not an integer, or the key not a key;
    `ValueError` if there are fewer than 2 samples, fresh ones have no key, or fixed ones do.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> W = 0.5 * jnp.eye(3)
    >>> risk = lj.MonteCarloRisk(jnp.eye(3), samples=100_000, key=jax.random.key(0))
    >>> value, error, _ = risk.estimate(W)
    >>> bool(abs(value - lj.PopulationRisk(jnp.eye(3))(W)) < 5 * error)
    True

    ```
    """

    exact: PopulationRisk
    samples: Float[Array, "samples dim"] | None
    seed: Seed | None
    count: int = eqx.field(static=True)
    chunk: int = eqx.field(static=True)

    def __init__(
        self,
        teacher,
        *,
        teacher_weights=None,
        student_weights=None,
        activation: str | Function | Activation = "relu",
        samples,
        key=None,
        chunk: SupportsIndex = 8192,
    ):
        self.exact = PopulationRisk(
            teacher,
            teacher_weights=teacher_weights,
            student_weights=student_weights,
            activation=activation,
        )
        if not isinstance(samples, Sequence) and np.ndim(samples) == 0:
            if key is None:
                raise ValueError("key is missing; fresh samples need one, e.g. jax.random.key(0)")
            self.samples, self.count = None, count("samples", samples, 2)
        else:
            if key is not None:
                raise ValueError("key is given with fixed samples; leave one of the two out")
            self.samples = checked("samples", samples, 2, "(samples, dim)")
            self.count = self.samples.shape[0]
            if self.samples.shape[1] != self.exact.teacher.shape[1]:
                raise ValueError(
                    f"samples have dimension {self.samples.shape[1]}; "
                    f"the teacher's is {self.exact.teacher.shape[1]}"
                )
            if self.count < 2:
                raise ValueError(f"samples has {self.count} row; give at least 2")
        self.seed = None if key is None else Seed.of(key)
        self.chunk = min(count("chunk", chunk), self.count)

    @property
    def key(self) -> Key[Array, ""] | None:
        """The key of fresh samples, `None` where samples are fixed."""
        return None if self.seed is None else self.seed.key

    def nearest_minimizer(self, params: Float[Array, "neurons dim"]) -> Attained | None:
        """Return a W near by at which student and teacher are one function, on any samples."""
        return self.exact.nearest_minimizer(params)

    def smooth_radius(self, params: Float[Array, "neurons dim"]) -> Scalar:
        """Return 0 where a neuron of length 0 is on a kink, for all samples, else ∞."""
        return jnp.where(jnp.asarray(self.exact.kinks(params)).any(), 0, jnp.inf)

    def __call__(self, W: Float[Array | np.ndarray, "neurons dim"]) -> Scalar:
        """Return the sample mean of the loss."""
        return self._moments(W, self.key)[0]

    def known(self, params: Float[Array, "neurons dim"]) -> Known:
        """Return the infimum of the exact risk, and the symmetry of the student's function.

        The samples fix the coordinates: no isometry but the identity leaves the mean unchanged.
        """
        known = self.exact.known(params)
        a = self.exact.student_weights
        if known.symmetry is None or is_traced(a):
            return Known()
        weights = np.ones(len(params), params.dtype) if a is None else plain(a)
        symmetry = student_neurons(self.exact.activation, weights)
        return Known(infimum=known.infimum, symmetry=symmetry, units=known.units)

    def estimate(
        self, W: Float[Array, "neurons dim"], *, key: Key[Array, ""] | None = None
    ) -> Estimate:
        """Return the sample mean with its standard error; a `key` draws other fresh samples."""
        if key is not None and self.samples is not None:
            raise ValueError("key is given, but the samples are fixed; leave it out")
        mean, variance = self._moments(W, self.key if key is None else key)
        return Estimate(mean, jnp.sqrt(variance / self.count), self.count)

    # Jitted, as a loop outside of `jit` is compiled again in every call.
    @eqx.filter_jit
    def _moments(self, W: Array | np.ndarray, key: Array | None) -> tuple[Array, Array]:
        """Return mean and variance of the loss, merged chunk by chunk (Chan, Golub & LeVeque)."""
        W = checked_students(W, self.exact.teacher.shape[1], self.exact.student_weights)
        chunks, rest = divmod(self.count, self.chunk)

        def add(carry, index, size):
            seen, mean, square = carry
            x = self._draw(index, size, key, W.dtype)
            loss = _losses(self.exact, W, x)
            here = jnp.mean(loss)
            gap, total = here - mean, seen + size
            mean += gap * size / total
            square += jnp.sum((loss - here) ** 2) + gap**2 * seen * size / total
            return total, mean, square

        step = jax.checkpoint(partial(add, size=self.chunk))
        zero = jnp.zeros((), W.dtype)
        carry, _ = jax.lax.scan(
            lambda c, i: (step(c, i), None), (zero, zero, zero), jnp.arange(chunks)
        )
        _, mean, square = add(carry, chunks, rest) if rest else carry
        return mean, square / (self.count - 1)

    def _draw(self, index, size: int, key: Array | None, dtype) -> Array:
        dim = self.exact.teacher.shape[1]
        if self.samples is None:
            assert key is not None
            return jax.random.normal(jax.random.fold_in(key, index), (size, dim), dtype)
        start = (index * self.chunk, 0)
        return jax.lax.dynamic_slice(self.samples, start, (size, dim)).astype(dtype)


def _losses(risk: PopulationRisk, W: Array, x: Array) -> Array:
    ones = jnp.ones(W.shape[0], W.dtype)
    a = ones if risk.student_weights is None else risk.student_weights
    V, b, phi = risk.teacher.astype(W.dtype), risk.teacher_weights.astype(W.dtype), risk.activation
    student = phi(x @ W.T) @ a.astype(W.dtype)
    teacher = phi(x @ V.T) @ b
    return (student - teacher) ** 2 / 2


class FreshSamples(FunctionModule):
    """Draw the risk on fresh samples; see `fresh_samples`."""

    drawn: MonteCarloRisk

    def __call__(self, key: Key[Array, ""]) -> MonteCarloRisk:
        """Draw one batch."""
        return eqx.tree_at(lambda risk: risk.seed, self.drawn, Seed.of(key))


@explained
def fresh_samples(risk: PopulationRisk, size: SupportsIndex) -> FreshSamples:
    """Return the function from a key to the risk on `size` fresh samples x ~ N(0, I).

    Its mean over keys is `risk`: `restart(risk, …, batches=fresh_samples(risk, 64))` is online SGD.

    **Raises:** `TypeError` if `size` is not an integer, `ValueError` if it is below 2.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk, start = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2))
    >>> batches = lj.fresh_samples(risk, 64)
    >>> runs = lj.restart(risk, start, 4, key=jax.random.key(0), batches=batches, max_steps=1000)
    >>> bool((runs.value < 0.05).all())
    True

    ```
    """
    drawn = MonteCarloRisk(
        risk.teacher,
        teacher_weights=risk.teacher_weights,
        student_weights=risk.student_weights,
        activation=risk.activation,
        samples=count("size", size, 2),
        key=jax.random.key(0),
    )
    return FreshSamples(drawn)

"""The population risk's closed gradient as one writes it down, in JAX, NumPy and PyTorch.

Nothing of landscape_jax is used.  Each `*_descent` gives a function that does STEPS steps of
descent from every start of a batch, shape (batch, n, d), and waits until they are done.
"""

import importlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

STEPS, STEP = 20, 0.1
Descent = Callable[[Any], Any]


def plain(W: jax.Array, V: jax.Array) -> jax.Array:
    """SS18, eq. 8 summed."""
    norms = jnp.linalg.norm(W, axis=1)
    off = 1 - jnp.eye(len(W), dtype=W.dtype)
    cosine = jnp.clip(W @ W.T / (norms[:, None] * norms), -1, 1)
    angle = jnp.arccos(cosine)
    sine = jnp.sqrt(1 - cosine**2) * off
    pull = (sine @ norms / norms)[:, None] * W + ((jnp.pi - angle) * off) @ W
    teacher_norms = jnp.linalg.norm(V, axis=1)
    cosine = jnp.clip(W @ V.T / (norms[:, None] * teacher_norms), -1, 1)
    angle = jnp.arccos(cosine)
    sine = jnp.sqrt(1 - cosine**2)
    push = (sine @ teacher_norms / norms)[:, None] * W + (jnp.pi - angle) @ V
    return W / 2 + (pull - push) / (2 * jnp.pi)


def jax_descent(slope: Callable[[jax.Array], jax.Array]) -> Descent:
    """Descend in JAX with the gradient of one run: `vmap` for the batch, `jit` for the loop."""
    step = jax.vmap(slope)
    loop = jax.jit(lambda W: jax.lax.fori_loop(0, STEPS, lambda _, W: W - STEP * step(W), W))
    return lambda W: loop(W).block_until_ready()


def numpy_descent(V: np.ndarray) -> Descent:
    """Descend in NumPy, one run after the other."""
    teacher_norms = np.linalg.norm(V, axis=1)

    def one(W: np.ndarray) -> np.ndarray:
        off = 1 - np.eye(len(W), dtype=W.dtype)
        for _ in range(STEPS):
            norms = np.linalg.norm(W, axis=1)
            cosine = np.clip(W @ W.T / (norms[:, None] * norms), -1, 1)
            sine = np.sqrt(1 - cosine**2) * off
            pull = (sine @ norms / norms)[:, None] * W + ((np.pi - np.arccos(cosine)) * off) @ W
            cosine = np.clip(W @ V.T / (norms[:, None] * teacher_norms), -1, 1)
            sine = np.sqrt(1 - cosine**2)
            push = (sine @ teacher_norms / norms)[:, None] * W + (np.pi - np.arccos(cosine)) @ V
            W = W - STEP * (W / 2 + (pull - push) / (2 * np.pi))
        return W

    return lambda batch: np.stack([one(W) for W in batch])


def torch_descent(teacher: np.ndarray, *, compiled: bool) -> Descent:
    """Descend in PyTorch on the CPU, batched, eagerly or with each step compiled.

    **Raises:** `ImportError` where there is no PyTorch.
    """
    torch = importlib.import_module("torch")
    V = torch.tensor(teacher)

    def step(W: Any, V: Any) -> Any:
        norms = torch.linalg.vector_norm(W, dim=-1)
        off = 1 - torch.eye(W.shape[1], dtype=W.dtype)
        cosine = torch.clamp(W @ W.mT / (norms[:, :, None] * norms[:, None, :]), -1, 1)
        sine = torch.sqrt(1 - cosine**2) * off
        pull = (sine @ norms[:, :, None] / norms[:, :, None]) * W
        pull = pull + ((torch.pi - torch.acos(cosine)) * off) @ W
        teacher_norms = torch.linalg.vector_norm(V, dim=-1)
        cosine = torch.clamp(W @ V.T / (norms[:, :, None] * teacher_norms), -1, 1)
        sine = torch.sqrt(1 - cosine**2)
        push = (sine @ teacher_norms / norms)[:, :, None] * W + (torch.pi - torch.acos(cosine)) @ V
        return W - STEP * (W / 2 + (pull - push) / (2 * torch.pi))

    if compiled:
        torch.compiler.reset()  # Else sizes add up, and the later ones would run uncompiled.
        step = torch.compile(step, dynamic=False)

    def descend(W: Any) -> Any:
        with torch.no_grad():
            for _ in range(STEPS):
                W = step(W, V)
        return W

    return descend

"""How long does one step of descent take, for one of many runs, beside plain JAX and NumPy?

`plain` is the same closed gradient written with `jnp.arccos` and batched by `vmap`; `numpy`
descends one run at a time.  Compile time is apart; the contenders take turns; medians are reported.

    python benchmarks/step.py --json benchmarks/step.json
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import landscape_jax as lj

STEPS, ROUNDS, BATCHES = 20, 10, (64, 256)


def plain(W: jax.Array, V: jax.Array) -> jax.Array:
    """SS18, eq. 8 summed, as one writes it down."""
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


def batched(slope: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
    """Give a jitted loop of steps for a batch of runs."""
    step = jax.vmap(slope)
    return jax.jit(lambda W: jax.lax.fori_loop(0, STEPS, lambda _, W: W - 0.1 * step(W), W))


def numpy_steps(W: np.ndarray, V: np.ndarray) -> np.ndarray:
    """The same steps for one run."""
    off = 1 - np.eye(len(W))
    for _ in range(STEPS):
        norms = np.linalg.norm(W, axis=1)
        cosine = np.clip(W @ W.T / (norms[:, None] * norms), -1, 1)
        sine = np.sqrt(1 - cosine**2) * off
        pull = (sine @ norms / norms)[:, None] * W + ((np.pi - np.arccos(cosine)) * off) @ W
        cosine = np.clip(W @ V.T / norms[:, None], -1, 1)
        push = (np.sqrt(1 - cosine**2).sum(1) / norms)[:, None] * W
        W = W - 0.1 * (W / 2 + (pull - push - (np.pi - np.arccos(cosine)) @ V) / (2 * np.pi))
    return W


def measure(k: int, batch: int) -> dict:
    """Time all contenders on the same starts, in turns; microseconds per run and step."""
    risk = lj.PopulationRisk(jnp.eye(k))
    start = lj.starts.gaussian((k, k))
    W = jax.vmap(start)(jax.random.split(jax.random.key(0), batch))
    ours, theirs = batched(jax.grad(risk)), batched(lambda W: plain(W, risk.teacher))
    first, V = np.asarray(W[0]), np.eye(k)
    compile_seconds = {}
    for name, loop in (("ours", ours), ("plain", theirs)):
        begin = time.perf_counter()
        loop(W).block_until_ready()
        compile_seconds[name] = time.perf_counter() - begin
    difference = float(jnp.abs(ours(W) - theirs(W)).max())
    assert difference < 1e-12, difference
    times: dict[str, list[float]] = {"ours": [], "plain": [], "numpy": []}
    contenders = {
        "ours": (lambda: ours(W).block_until_ready(), batch),
        "plain": (lambda: theirs(W).block_until_ready(), batch),
        "numpy": (lambda: numpy_steps(first, V), 1),
    }
    for _ in range(ROUNDS):
        for name, (call, runs) in contenders.items():
            begin = time.perf_counter()
            call()
            times[name].append((time.perf_counter() - begin) / STEPS / runs * 1e6)
    median = {name: statistics.median(values) for name, values in times.items()}
    ratios = [p / o for p, o in zip(times["plain"], times["ours"], strict=True)]
    return {
        "k": k,
        "batch": batch,
        "microseconds_per_run_and_step": median,
        "plain_over_ours": statistics.median(ratios),
        "first_call_seconds": compile_seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = [measure(k, batch) for k in (6, 10, 20, 50) for batch in BATCHES]
    for r in results:
        print(r["k"], r["batch"], r["microseconds_per_run_and_step"], r["plain_over_ours"])
    report = {
        "question": (__doc__ or "").splitlines()[0],
        "command": shlex.join(["python", *sys.argv]),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "device": jax.devices()[0].device_kind,
        "dtype": "float64",
        "versions": {name: version(name) for name in ("jax", "jaxlib", "numpy")}
        | {"python": platform.python_version()},
        "results": results,
    }
    arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

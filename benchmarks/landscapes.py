"""Is every local minimum of small problems listed, and is everything that is listed one?

Random problems, Gaussian inputs without a bias and Gaussian labels.  Of each: all minima and
saddles by `theory.cells.landscape`; 10,000 perturbations of every minimum; both ways of every
saddle, on the objective; and 2,000 descents that end exactly, at kinks too, whose values are looked
for in the lists.

    python benchmarks/landscapes.py --json benchmarks/landscapes.json [--sizes N:D:K:PROBLEMS ...]
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import jax
import numpy as np
from report import write

import landscape_jax as lj
from landscape_jax.theory.cells import Landscape, descend_exactly, landscape

SIZES = ("7:3:1:20", "7:2:2:20", "6:2:3:20", "4:2:3:20", "5:3:2:10")
STARTS, PERTURBATIONS = 2000, 10_000
# Values closer than this are the same.
SAME = 1e-6


def rounding(risk: lj.EmpiricalRisk, network: lj.TwoLayer) -> float:
    """Bound the rounding of a value: 8 eps mean (Σ |z_j| ‖w_j‖‖xᵢ‖ + |yᵢ|)², the terms' sizes."""
    hidden = np.linalg.norm(network.W1, axis=1) * np.linalg.norm(risk.x, axis=1)[:, None]
    sizes = hidden @ np.abs(network.W2[0]) + np.abs(risk.y)
    return 8 * np.finfo(float).eps * float(np.mean(sizes**2))


def lowest_gain(risk: lj.EmpiricalRisk, found: Landscape, seed: int) -> float:
    """Give how much lower a perturbation of any listed minimum is, at most, over its rounding."""
    least = 0.0
    for minimum in [*found.differentiable_minima, *found.nondifferentiable_minima]:
        near = lj.critical.lowest_nearby(
            risk,
            minimum.network,
            radius=min(1.0, minimum.radius) / 2,
            count=PERTURBATIONS,
            key=jax.random.key(seed),
        )
        least = min(least, (near.lowest - near.value) / rounding(risk, minimum.network))
    return least


def study(samples: int, inputs: int, width: int, seed: int) -> dict:
    """List one problem, try to refute the list, and look for what is not in it."""
    draw = np.random.default_rng([samples, inputs, width, seed])
    x, y = draw.standard_normal((samples, inputs)), draw.standard_normal(samples)
    begin = time.perf_counter()
    found = landscape(x, y, width)
    listing = time.perf_counter() - begin
    risk = lj.EmpiricalRisk(x, y)
    lower = lowest_gain(risk, found, seed)
    ways = sum(not s.descent.value < s.loss < s.ascent.value for s in found.saddles)

    z, w = draw.standard_normal((STARTS, width)), draw.standard_normal((STARTS, width, inputs))
    begin = time.perf_counter()
    ends = descend_exactly(x, y, z, w)
    descending = time.perf_counter() - begin
    minima = [*found.differentiable_minima, *found.nondifferentiable_minima, *found.smooth_kinks]
    lists = {
        "minimum": np.array([m.loss for m in minima]),
        "saddle": np.array([m.loss for m in [*minima, *found.saddles]]),
    }
    unlisted = [
        float(value)
        for value, status in zip(ends.value, ends.status, strict=True)
        if status not in lists or np.min(np.abs(lists[status] - value), initial=np.inf) > SAME
    ]
    return {
        "seed": seed,
        "cells": found.cells,
        "faces": found.faces,
        "face_combinations": found.face_combinations,
        "differentiable_minima": len(found.differentiable_minima),
        "saddles": len(found.saddles),
        "nondifferentiable_minima": len(found.nondifferentiable_minima),
        "global_loss": found.global_loss,
        "global_at_a_kink": found.global_loss
        < min((m.loss for m in found.differentiable_minima), default=np.inf) - SAME,
        "lowest_perturbation_over_rounding": lower,
        "saddles_without_two_ways": ways,
        "ends": dict(Counter(ends.status)),
        "share_global": float(np.mean(ends.value < found.global_loss + SAME)),
        "lowest_end_above_global": float(np.min(ends.value) - found.global_loss),
        "unlisted": unlisted,
        "seconds_listing": listing,
        "seconds_descending": descending,
    }


def main() -> None:
    """Study all problems and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="N:D:K:PROBLEMS")
    chosen = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    rows = []
    for text in chosen.sizes:
        samples, inputs, width, problems = map(int, text.split(":"))
        for seed in range(problems):
            row = {"size": [samples, inputs, width]} | study(samples, inputs, width, seed)
            rows.append(row)
            print(row, flush=True)
    refuted = sum(
        row["lowest_perturbation_over_rounding"] < -1 or row["saddles_without_two_ways"] > 0
        for row in rows
    )
    unlisted = sum(len(row["unlisted"]) for row in rows)
    print(f"{len(rows)} problems: {refuted} refuted, {unlisted} unlisted ends")
    write(chosen.json, __doc__, {"starts": STARTS, "perturbations": PERTURBATIONS, "rows": rows})


if __name__ == "__main__":
    main()

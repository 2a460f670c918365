"""How long do proofs by symmetry take?  2,000 classes up to k = 100, families up to k = 10,000.

The classes are those of a flipped neurons among k, for many a and k, followed from one point.
Measured are the commands `atlas --points` and `verify`, the stand-alone checker on every 20th
certificate, the proof of one class at k = 100, the family of one flipped neuron, the family of
SS18's example 2, and 200 restarts of (50, 50) with families, proofs and verification.

    python benchmarks/atlas.py --json benchmarks/atlas.json
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from report import write

import landscape_jax as lj
from landscape_jax.proofs import SymmetricCertificate, check_certificate
from landscape_jax.sweeps.proven import prove_families

COUNT, LARGEST = 2000, 100
ONE_FLIPPED = [[-0.67, 0.17, 0], [0.24, 1.0, -0.04]]
TWO_FLIPPED = [[-0.697, 0.243, 0.193], [0.179, 0.978, -0.065]]
EXAMPLE_2 = [[0.998, 0.037, 0.054, -0.006], [0.111, -0.633, -0.182, 0]]


def classes() -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Follow a flipped neurons among k: from the largest k down, for one a after the other."""
    found: list[tuple[tuple[int, ...], np.ndarray]] = []
    family = lj.symmetric_family([1, 5], ONE_FLIPPED)
    pair = lj.symmetric_family([2, 6], TWO_FLIPPED)
    for a in range(1, LARGEST // 2):
        for k in range(LARGEST, max(2 * a, 5), -1):
            try:
                found.append(((a, k - a), family.values_at(k)))
            except ValueError:  # The family ends above this k.
                break
            if len(found) == COUNT:
                return found
        if a > 1:  # One more flipped among one more, then as many in all as before.
            more = lj.symmetric_family([a, LARGEST - a], family.values_at(LARGEST), grows=0)
            pair = lj.symmetric_family([a + 1, LARGEST - a], more.values_at(LARGEST + 1), grows=1)
        family = pair
    return found


def listed(found: list[tuple[tuple[int, ...], np.ndarray]]) -> str:
    """Write classes as a list for `atlas --points`."""
    lines = ["k,class,multiplicity,blocks,values"]
    for number, (blocks, values) in enumerate(found):
        rows = ";".join(" ".join(map(repr, row)) for row in values.tolist())
        lines.append(f"{sum(blocks)},{number},1,{' '.join(map(str, blocks))},{rows}")
    return "\n".join(lines) + "\n"


def timed(*command: str) -> tuple[float, list[str]]:
    """Run a command; return its seconds and the lines that it prints."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout.splitlines()


def lists() -> dict[str, Any]:
    """Prove, verify and check the list."""
    found = classes()
    with tempfile.TemporaryDirectory() as place:
        points = Path(place) / "points.csv"
        points.write_text(listed(found))
        command = [sys.executable, "-m", "landscape_jax"]
        out = Path(place) / "out"
        proving, lines = timed(*command, "atlas", "--points", str(points), "--out", str(out))
        certificates = sorted(map(str, (out / "certificates").glob("*.json")))
        verifying, held = timed(*command, "verify", *certificates)
        alone, checked = timed(
            sys.executable, "-I", check_certificate.__file__, *certificates[::20]
        )
        bytes_ = max(Path(path).stat().st_size for path in certificates)
    return {
        "classes": len(found),
        "largest_k": max(sum(blocks) for blocks, _ in found),
        "summary": lines[-1],
        "prove_and_verify_seconds": proving,
        "verify_seconds": verifying,
        "hold": sum(line.startswith("holds") for line in held),
        "stand_alone_seconds": alone,
        "stand_alone_hold": sum(line.startswith("holds") for line in checked),
        "stand_alone_files": len(certificates[::20]),
        "largest_file_bytes": bytes_,
    }


def followed(blocks: list[int], teachers: list[int], values: list, ks: list[int]) -> dict[str, Any]:
    """Prove one family at many k."""
    start = time.perf_counter()
    family = lj.symmetric_family(blocks, values, teacher_blocks=teachers)
    proofs = [proof for k in ks if isinstance(proof := family.prove(k), SymmetricCertificate)]
    seconds = time.perf_counter() - start
    spurious = [proof for proof in proofs if proof.kind == "spurious"]
    return {
        "proofs": len(proofs),
        "outcomes": dict(Counter(f"{proof.kind}, index {proof.index}" for proof in proofs)),
        "least_eigenvalue_of_minima": min(p.min_eigenvalue_lower for p in spurious),
        "seconds": seconds,
        "verified": bool(lj.verify(proofs[-1])),
    }


def searched(k: int, restarts: int) -> dict[str, Any]:
    """Descend, group and prove."""
    start = time.perf_counter()
    risk = lj.PopulationRisk(jnp.eye(k))
    runs = lj.restart(risk, lj.starts.gaussian((k, k)), restarts, key=jax.random.key(0))
    jax.block_until_ready(runs.value)
    middle = time.perf_counter()
    families = lj.families(risk, runs)
    proofs = list(prove_families(risk, families))
    return {
        "k": k,
        "restarts": restarts,
        "families": len(families),
        "outcomes": dict(Counter(proof.outcome for proof in proofs)),
        "search_seconds": middle - start,
        "families_and_proofs_seconds": time.perf_counter() - middle,
    }


def main() -> None:
    """Measure, print, and write the JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    ks = [*range(5, 201), 500, 1000, 5000, 10_000]
    one = lj.symmetric_family([1, 5], ONE_FLIPPED)
    one.values_at(100)
    start = time.perf_counter()
    one.prove(100)
    results = {
        "one_class_at_k_100_seconds": time.perf_counter() - start,
        "list": lists(),
        "one_flipped_k_5_to_200_and_to_10000": followed([1, 5], [1, 5], ONE_FLIPPED, ks),
        "example_2_of_ss18_k_6_to_100_and_to_1000": followed(
            [16, 1, 1], [16, 1], EXAMPLE_2, [*range(6, 101), 200, 400, 1000]
        ),
        "search_50_50": searched(50, 200),
    }
    write(arguments.json, __doc__, results)


if __name__ == "__main__":
    main()

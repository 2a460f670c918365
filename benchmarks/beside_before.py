"""Is anything slower than in an earlier commit?  Search, table, proof and imports, in turns.

Each task runs in a process of its own with the package of one of two directories, the earlier one
and this one in turns.  Measured are the seconds on the clock and on the processors of what the task
does after its imports, once to compile (`first`) and then again (`second`); of "imports" the whole.

    python benchmarks/beside_before.py --before DIR --json benchmarks/beside_before.json
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from report import write

HEAD = """
import json, time
def timed(work):
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return [time.perf_counter() - wall, time.process_time() - processor]
"""
JAX = """
import jax, jax.numpy as jnp, landscape_jax as lj
jax.config.update("jax_enable_x64", True)
"""
SEARCH = """
risk, start = lj.PopulationRisk(jnp.eye({k})), lj.starts.gaussian(({k}, {k}))
def work():
    return jax.block_until_ready(lj.restart(risk, start, {runs}, key=jax.random.key(0)).value)
"""
DATA = """
x = jnp.linspace(-1, 1, 16)[:, None]
risk = lj.EmpiricalRisk(x, jnp.sin(3 * x[:, 0]))
start = lj.starts.network(lj.TwoLayer, (1, 4, 1), activation="tanh")
def work():
    runs = lj.restart(risk, start, 200, key=jax.random.key(0), max_steps=3000)
    return jax.block_until_ready(runs.value)
"""
PROOF = """
risk, start = lj.PopulationRisk(jnp.eye({k})), lj.starts.gaussian(({k}, {k}))
runs = lj.restart(risk, start, 40, key=jax.random.key(0))
found = [f for f in lj.families(risk, runs) if f.kind == "spurious"][:3]
def work():
    for family in found:
        assert lj.verify(lj.prove_minimum(risk, family.representative)).holds
"""
FAMILIES = """
risk, start = lj.PopulationRisk(jnp.eye({k})), lj.starts.gaussian(({k}, {k}))
runs = lj.restart(risk, start, 300, key=jax.random.key(0))
def work():
    lj.families(risk, runs)
"""
TABLE = """
from landscape_jax.studies import ss18
def work():
    ss18.table([(6, 6), (8, 8), (10, 10)], 300)
"""
IMPORTS = """
def work():
    import landscape_jax as lj
    lj.restart, lj.families, lj.PopulationRisk
"""
TWICE = "print(json.dumps({'first': timed(work), 'second': timed(work)}))"
TASKS = {
    "search (8, 8), 1000 runs": HEAD + JAX + SEARCH.format(k=8, runs=1000) + TWICE,
    "search (20, 20), 200 runs": HEAD + JAX + SEARCH.format(k=20, runs=200) + TWICE,
    "search, tanh network on data, 200 runs": HEAD + JAX + DATA + TWICE,
    "families (10, 10), 300 runs": HEAD + JAX + FAMILIES.format(k=10) + TWICE,
    "three proofs and verifications (12, 12)": HEAD + JAX + PROOF.format(k=12) + TWICE,
    "table 6:6 8:8 10:10, 300 runs each": HEAD + JAX + TABLE + TWICE,
    "imports": HEAD + IMPORTS + "print(json.dumps({'first': timed(work)}))",
}


def measure(package: Path, task: str) -> dict[str, list[float]]:
    """Run one task with the package in a directory."""
    environment = os.environ | {"PYTHONPATH": str(package)}
    command = [sys.executable, "-c", TASKS[task]]
    told = subprocess.run(
        command, cwd=package, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(told.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--before", type=Path, metavar="DIR", required=True)
    parser.add_argument("--turns", type=int, default=3)
    chosen = parser.parse_args()
    packages = {"before": chosen.before.resolve(), "after": Path(__file__).resolve().parents[1]}
    rows = []
    for task in TASKS:
        turns = [{w: measure(p, task) for w, p in packages.items()} for _ in range(chosen.turns)]
        row: dict = {"task": task}
        for call in turns[0]["before"]:
            for i, unit in enumerate(("seconds", "processor_seconds")):
                medians = {w: statistics.median(t[w][call][i] for t in turns) for w in packages}
                ratio = statistics.median(t["after"][call][i] / t["before"][call][i] for t in turns)
                row[f"{call}_{unit}"] = medians | {"ratio": ratio}
        rows.append(row)
        print(json.dumps(row), flush=True)
    write(chosen.json, __doc__, {"rows": rows})


if __name__ == "__main__":
    main()

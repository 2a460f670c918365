"""Does the fast search give every run the end that plain gradient descent reaches?

From the same starts: the search as it is (global runs stopped at 1e-3, the last decades by leaps
and Newton's method), and plain descent, step 0.1, until the gradient norm is 1e-9, nothing stopped
or skipped.  The ends are compared modulo symmetry.  Plain descent may stop at a saddle, where
rounding decides; such runs are listed with their smallest eigenvalue.

    python benchmarks/same_answers.py --json benchmarks/same_answers.json
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from report import write

import landscape_jax as lj
from landscape_jax.studies.ss18.protocol import BELOW_VALUE, GRADIENT_TOLERANCE, key

SIZES = {(8, 8): 1500, (10, 10): 1000, (15, 16): 500, (17, 18): 500, (19, 20): 500, (20, 20): 1000}
MAX_STEPS = 5_000_000
# Plain descent ends within sqrt(n) 1e-9/λ of its minimum, and λ > 3e-5; families are 0.1 apart.
TOLERANCE = 1e-4


def compare(k: int, n: int, restarts: int) -> dict:
    """Search twice from the same starts, and hold the ends against each other."""
    risk = lj.PopulationRisk(jnp.eye(k))
    start = lj.starts.gaussian((n, k))
    shared = {"key": key((k, n), 1), "gradient_tolerance": GRADIENT_TOLERANCE}
    begin = time.perf_counter()
    fast = lj.restart(risk, start, restarts, below_value=BELOW_VALUE, **shared)
    middle = time.perf_counter()
    plain = lj.restart(
        risk, start, restarts, below_value=None, finish=False, max_steps=MAX_STEPS, **shared
    )
    end = time.perf_counter()
    # One list of families for both: a run's two ends are the same where one family holds both.
    ends = jnp.concatenate([fast.params, plain.params])
    label = np.full(2 * restarts, -1)
    lowest = {}
    for i, family in enumerate(lj.families(risk, ends, tolerance=TOLERANCE)):
        label[family.members] = i
        lowest[i] = family.min_eigenvalue
    of_fast, of_plain = label[:restarts], label[restarts:]
    plain_value = np.asarray(plain.value)
    both_global = fast.is_below_value & (plain_value < BELOW_VALUE)
    same = both_global | (~fast.is_below_value & (of_fast == of_plain))
    different = [
        {
            "restart": int(i),
            "fast_value": float(fast.value[i]),
            "plain_value": float(plain_value[i]),
            "plain_gradient_norm": float(plain.gradient_norm[i]),
            "plain_min_eigenvalue": float(lowest[of_plain[i]]),
            "plain_is_a_saddle": bool(lowest[of_plain[i]] < 0),
        }
        for i in np.flatnonzero(~same)
    ]
    return {
        "k": k,
        "n": n,
        "restarts": restarts,
        "same": int(same.sum()),
        "different": different,
        "spurious": int((~fast.is_below_value).sum()),
        "spurious_families": len(set(of_fast[~fast.is_below_value].tolist())),
        "plain_out_of_steps": {
            "runs": int((~plain.is_converged).sum()),
            "largest_value": float(plain_value[~plain.is_converged].max(initial=0)),
        },
        "steps": {"fast": int(fast.steps.sum()), "plain": int(np.asarray(plain.steps, int).sum())},
        "seconds": {"fast": middle - begin, "plain": end - middle},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--sizes", nargs="+", metavar="K:N", help="all where left out")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    sizes = [tuple(map(int, text.split(":"))) for text in arguments.sizes or ()] or [*SIZES]
    results = []
    for k, n in sizes:
        results.append(compare(k, n, SIZES[k, n]))
        print({x: y for x, y in results[-1].items() if x != "different"}, flush=True)
        print(results[-1]["different"], flush=True)
        write(arguments.json, __doc__, {"max_steps": MAX_STEPS, "results": results})


if __name__ == "__main__":
    main()

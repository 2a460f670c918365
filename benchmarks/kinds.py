"""Is every kind that `families` gives consistent with what can be proven of the point?

1000 random ReLU teachers over 24 shapes (k, d, n), k from 2 to 8, d from k − 1 to 3k, n from k − 1
to k + 2: norms from 1e-3 to 1e3, small angles, duplicates, zeros, second layers of both signs.  One
compiled program a shape serves all of its teachers.  Of each teacher the ends of descents are
looked at, and given points: points at which the student is the teacher (split at random), those
disturbed by 1e-14 to 1e-1 of the shortest ray, pairs of neurons halfway between two teachers, and
random points.  Each point of each family is then tried by `prove_minimum`, and its certificate
verified.

A kind is contradicted, and counted, where it is

- "global", and a certificate says that the minimum's value is positive where 0 is attained, or a
  direction of descent is proven whose curvature is beyond the tolerance of eigenvalues;
- "spurious" or "minimum", and a direction of descent is proven, or F = 0 is proven for "spurious";
- "saddle", and a certificate says that it is a minimum.

"spurious" points without a certificate are counted by the reason that `prove_minimum` names.

    python benchmarks/kinds.py --json benchmarks/kinds.json
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from report import write

import landscape_jax as lj
from landscape_jax.critical.classify import eigenvalue_tolerance
from landscape_jax.proofs.problem import balancing_units

Shape = tuple[int, int, int]
# (k, d, n)
SHAPES: list[Shape] = [
    *(
        (k, d, n)
        for k in range(2, 7)
        for d, n in ((k, k), (2 * k, k + 1), (3 * k, k + 2), (k - 1, k - 1))
    ),
    *((6, 6, 8), (7, 14, 7), (8, 8, 8), (8, 16, 9)),
]
RUNS, MAX_STEPS = 6, 60_000


def teacher(shape: Shape, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a teacher, its second layer, and the student's."""
    k, d, n = shape
    V = rng.normal(size=(k, d))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    spread = rng.choice([0.0, 0.3, 1.0, 3.0])
    V *= 10 ** np.clip(rng.normal(scale=spread, size=(k, 1)), -3, 3)
    trick = rng.integers(6)
    if trick == 1:  # A small angle.
        V[1] = V[0] + 10 ** rng.uniform(-6, -1) * np.linalg.norm(V[0]) * rng.normal(size=d)
    if trick == 2:  # A duplicate.
        V[1] = rng.choice([0.25, 1.0, 2.0]) * V[0]
    if trick == 3:
        V[-1] = 0
    if trick == 4 and d >= k:  # Orthogonal, of one length.
        V = np.linalg.qr(rng.normal(size=(d, d)))[0][:k] * 10 ** rng.uniform(-3, 3)
    b, a = np.ones(k), np.ones(n)
    if rng.random() < 0.25:
        b = rng.choice([-1.0, 1.0, 2.0], k)
        a = np.resize(b, n) * rng.choice([0.5, 1.0, 1.0, 3.0], n)
    return V, b, a


def given(risk: lj.PopulationRisk, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Make points at which the student is the teacher, such points disturbed, and others."""
    V = np.asarray(risk.teacher)
    k, d = V.shape
    lengths = np.linalg.norm(V, axis=1)
    typical = np.median(lengths[lengths > 0])
    points = [typical * rng.normal(size=(n, d)) / np.sqrt(d)]
    start = np.zeros((n, d))
    for i in range(n):
        start[i] = rng.uniform(0.2, 1) * V[i % k] + 1e-9 * typical * rng.normal(size=d)
    exact = risk.nearest_minimizer(jnp.array(start))
    if exact is not None:
        Z = np.asarray(exact.point)
        points.append(Z)
        alive = np.linalg.norm(Z, axis=1)
        small = alive[alive > 0].min(initial=np.inf)
        noise = rng.normal(size=Z.shape)
        points += [Z + 10 ** rng.uniform(-14, -1) * small * noise for _ in range(2)]
    if k >= 2 and n >= 2:  # Two students halfway between two teachers, a saddle or nearly one.
        half = start.copy()
        half[:2] = (V[0] + V[1]) / 2
        points.append(half)
    return points


def cases(
    shape: Shape, count: int, seed: int
) -> Iterator[tuple[lj.PopulationRisk, tuple[lj.Runs, jax.Array]]]:
    """Yield risks with the ends of descents and given points."""
    k, d, n = shape
    for index in range(count):
        rng = np.random.default_rng([seed, k, d, n, index])
        V, b, a = teacher(shape, rng)
        risk = lj.PopulationRisk(
            jnp.array(V), teacher_weights=jnp.array(b), student_weights=jnp.array(a)
        )
        scale = np.linalg.norm(V) / np.sqrt(n * d) / np.abs(a[:, None])
        start = jnp.array(rng.normal(size=(RUNS, n, d)) * scale)
        runs = lj.restart(risk, start, RUNS, max_steps=MAX_STEPS)
        yield risk, (runs, jnp.array(np.stack(given(risk, n, rng))))


def contradiction(risk: lj.PopulationRisk, family: lj.Family, proof, attained: bool) -> str | None:
    """Return how the proof contradicts the kind; `None` where it does not."""
    descends = False
    if not proof and proof.min_eigenvalue_upper is not None:
        even, W = risk.balanced(jnp.asarray(family.representative))
        slope = float(jnp.linalg.norm(lj.gradient(even, W)))
        length = min(float(even.known(W).units.length), float(even.smooth_radius(W)))
        # Infinite where a neuron is zero to within rounding: there is no Hessian to decide.
        allowed = eigenvalue_tolerance(lj.spectrum(even, W), slope, length)
        # Proofs balance by powers of two: what is left of the second layer bounds the rescaling.
        a = np.asarray(risk.student_weights)
        left = np.max(np.abs(a / balancing_units(a.astype(float))))
        descends = proof.min_eigenvalue_upper / left**2 < -allowed
    positive = bool(proof) and (proof.value_lower or 0) > 0 and attained
    wrong = {
        "global": descends or positive or proof.kind == "spurious",
        "spurious": descends or proof.kind == "global",
        "minimum": descends,
        "saddle": bool(proof),
    }.get(family.kind, False)
    if not wrong:
        return None
    said = f"proven {proof.kind}" if proof else "a direction of descent is proven"
    return f"{family.kind}, but {said}"


def examine(shape: Shape, count: int, seed: int) -> dict:
    """Examine all points of the teachers of one shape."""
    kinds: Counter[str] = Counter()
    proofs: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    wrong = []
    for index, (risk, sets) in enumerate(cases(shape, count, seed)):
        statuses.update(sets[0].summary())
        for points in sets:
            for family in lj.families(risk, points):
                kinds[family.kind] += 1
                W = jnp.asarray(family.representative)
                proof = lj.prove_minimum(risk, W)
                proofs[str(proof.kind)] += 1
                attained = risk.known(W).infimum is not None
                said = contradiction(risk, family, proof, attained)
                if isinstance(proof, lj.Certificate) and not lj.verify(proof):
                    said = "the certificate is not confirmed"
                if said is not None:
                    wrong.append({"teacher": index, "value": family.value, "what": said})
                if family.kind == "spurious" and proof.kind != "spurious":
                    reasons[str(proof.reason or proof.kind).split(":")[0][:60]] += 1
    return {
        "shape": list(shape),
        "teachers": count,
        "statuses": dict(statuses),
        "kinds": dict(kinds),
        "proofs": dict(proofs),
        "contradictions": wrong,
        "spurious_without_certificate": dict(reasons),
    }


def total(results: list[dict]) -> dict:
    """Add up the counts of all shapes."""
    names = ("statuses", "kinds", "proofs", "spurious_without_certificate")
    counts = {name: dict(sum((Counter(r[name]) for r in results), Counter())) for name in names}
    return counts | {
        "teachers": sum(r["teachers"] for r in results),
        "contradictions": sum(len(r["contradictions"]) for r in results),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--teachers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    each, more = divmod(arguments.teachers, len(SHAPES))
    results, report = [], {}
    for place, shape in enumerate(SHAPES):
        results.append(examine(shape, each + (place < more), arguments.seed))
        print(results[-1], flush=True)
        report = {"seed": arguments.seed, "total": total(results), "shapes": results}
        write(arguments.json, __doc__, report)
    print(report["total"])


if __name__ == "__main__":
    main()

"""Forged certificates of critical points are refused, unless what they state is true after all.

Whether it is true is decided by other means than those of the provers and the checkers: W is
written out entry by entry; the critical point near it, its distance and its value are computed in
40 digits (`mpmath`), the eigenvalues of the Hessian in R^(n×d) with NumPy.
"""

import inspect
import itertools
import json
import sys
from contextlib import suppress
from fractions import Fraction
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from mpmath import MPContext

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.proofs import (
    CertificateError,
    PointCertificate,
    check_certificate,
    prove_critical_point,
    prove_minimum,
    verification,
    verify,
)
from landscape_jax.proofs.check_certificate import Refused
from landscape_jax.proofs.claim_file import parse
from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate
from landscape_jax.proofs.symmetric_proof import prove_symmetric

mp = MPContext()
mp.dps = 40
mpf = mp.mpf
# Of the forgeries listed below so many are tried, the same ones every time; with 1 all are.
SHARE, SHARE_OF_SLOW = 0.4, 0.15
# Eigenvalues in float64 are not told apart below this, relative to the largest.
EIGENVALUES = 1e-12

# Students' blocks, teachers' blocks, rough values, second layers (1 where they are missing).
BASES = {
    "saddle, three in one block": ([3], [3], [[-0.318, 0.659]]),
    "saddle, four in one block": ([4], [4], [[-0.49, 0.495]]),
    "spurious, six in one block": ([6], [6], [[-0.663, 0.331]]),
    "spurious, one flipped, k = 6": ([1, 5], [1, 5], [[-0.67, 0.17, 0], [0.24, 1, -0.04]]),
    "saddle, one flipped, k = 5": ([1, 4], [1, 4], [[-0.644, 0.2, 0], [0.29, 0.99, -0.06]]),
    "saddle, down along the fixed space": (
        [1, 2], [1, 2], [[0.345, 0.33, 0], [0.398, 0.934, -0.28]],
    ),
    "minimum of one student": ([1], [2], [[1.068, 0]]),
    "saddle of one student": ([1], [2], [[-0.0683, 0]]),
    "saddle, two blocks of two": (
        [2, 2], [2, 2], [[-0.325, 0.286, 0.788], [0.286, -0.325, 0.788]],
    ),
    "saddle, two and three": (
        [2, 3], [2, 3], [[-0.594, 0.397, 0.397], [0.397, -0.594, 0.397]],
    ),
    "saddle, n = k + 1": ([3, 1], [3], [[-0.357, 0.254, 0.544]]),
    "saddle, n < k": ([3, 1], [3, 2], [[0.984, 0.585, -0.267], [0.444, -0.325, 0]]),
    "saddle with second layers": (
        [1, 3], [1, 3], [[-1.36, 0.31, 0], [1.067, 0.679, -0.091]], [0.5, 2.0], [1.25, 1.5],
    ),
    "saddle with negative second layers": ([3], [3], [[-0.9545, 1.9784]], [-0.5], [-1.5]),
    "global, the teacher": ([1, 2], [1, 2], [[1, 0, 0], [0, 1, 0]]),
    "global with second layers": ([2], [2], [[0.25, 0]], [-2.0], [-0.5]),
}  # fmt: skip


def prove(blocks, teachers, values, a=None, b=None, max_move=1.0) -> SymmetricCertificate:
    proof = prove_symmetric(blocks, teachers, np.array(values, float), a, b, max_move=max_move)
    assert isinstance(proof, SymmetricCertificate), proof.reason
    return proof


def make_risk(teacher, teacher_weights=None, student_weights=None):
    """Return the attributes of a population risk that a proof reads."""
    outer = np.ones(len(teacher)) if teacher_weights is None else teacher_weights
    return SimpleNamespace(
        teacher=teacher, teacher_weights=outer, student_weights=student_weights, activation="relu"
    )


def written(proof: Any) -> dict[str, Any]:
    """Return the JSON object of a certificate's file."""
    return json.loads(json.dumps(proof.written(proof.statement)))


@cache
def base(name):
    """Return the JSON object of one of the points' certificates."""
    return written(prove(*BASES[name]))


# --- What is true ---------------------------------------------------------------------------------


class Risk(NamedTuple):
    """F of orthonormal or other teachers; `layout` (n, d) says which unknown an entry of W is."""

    teacher: Any
    outer: Any
    inner: Any
    layout: Any


def layout(students, teachers, match):
    """Number the entries of W: x(i, j) row by row, then x(i, *) of matched blocks of several."""
    rows = np.repeat(np.arange(len(students)), students)
    columns = np.repeat(np.arange(len(teachers)), teachers)
    table = rows[:, None] * len(teachers) + columns
    extra = len(students) * len(teachers)
    for i, j in enumerate(match):
        if j is not None and students[i] > 1:
            own = np.eye(students[i], dtype=bool)
            table[np.ix_(rows == i, columns == j)] = np.where(own, i * len(teachers) + j, extra)
            extra += 1
    return table


def matches(students, teachers):
    pairs = enumerate(students)
    return [i if i < len(teachers) and p == teachers[i] else None for i, p in pairs]


def cut_layout(students, teachers, cuts):
    """Number the entries of W where teacher blocks, and what is matched to them, are cut."""
    columns = [(j, s) for j, q in enumerate(teachers) for s in cuts.get(str(j), [q])]
    rows = []
    for p, j in zip(students, matches(students, teachers), strict=True):
        if j is None:
            rows.append((p, None))
        else:
            rows += [(s, c) for c, (h, s) in enumerate(columns) if h == j]
    return layout([p for p, _ in rows], [s for _, s in columns], [c for _, c in rows])


def curvature(risk, W):
    """Return ∇²F, (n d, n d), in float64, and the least sine of two neurons' angle."""
    (n, d), pi = W.shape, np.pi
    neurons = np.concatenate([W, risk.teacher])
    c = np.concatenate([risk.inner, -risk.outer])
    norms = np.linalg.norm(neurons, axis=1)
    units = neurons / norms[:, None]
    cos = units[:n] @ units.T
    m = units - cos[:, :, None] * units[:n, None]
    sin = np.linalg.norm(m, axis=2)
    rest = pi - np.arctan2(sin, cos)
    over = 1 / np.where(sin > 1e-12, sin, np.inf)
    pair = c[:n, None] * c / (2 * pi)
    squares = units[:, :, None] * units[:, None, :]
    mixed = units[:n, None, :, None] * units[None, :n, None, :]
    plane = mixed + mixed.transpose(0, 1, 3, 2)
    plane -= cos[:, :n, None, None] * (squares[:n, None] + squares[None, :n])
    blocks = (pair * over)[:, :n, None, None] * plane
    blocks += (pair * rest)[:, :n, None, None] * np.eye(d)
    weight = pair * norms / norms[:n, None]
    turned = np.einsum("ij,ijp,ijq->ipq", weight * over, m, m)
    total = np.sum(weight * sin, axis=1)[:, None, None]
    blocks[np.arange(n), np.arange(n)] += turned + total * (np.eye(d) - squares[:n])
    apart = sin[~np.eye(n, len(neurons), dtype=bool)]
    least = float(np.min(apart)) if len(apart) else 1.0
    return blocks.transpose(0, 2, 1, 3).reshape(n * d, n * d), least


def angle_terms(w, v):
    """Return |w|, |v|, sin t and π − t."""
    r, s, dot = (mp.sqrt(mp.fdot(w, w)), mp.sqrt(mp.fdot(v, v)), mp.fdot(w, v))
    cos = dot / (r * s)
    sin = mp.sqrt(max(mpf(0), (1 - cos) * (1 + cos)))
    return r, s, sin, mp.pi - mp.atan2(sin, cos), cos


def exact_value(risk, W):
    """Return F in 40 digits; zero neurons add nothing."""
    neurons = [[mpf(x) for x in row] for row in [*W, *risk.teacher.tolist()]]
    weights = [*map(mpf, risk.inner.tolist()), *(-mpf(b) for b in risk.outer.tolist())]
    live = [(c, u) for c, u in zip(weights, neurons, strict=True) if any(u)]
    total = sum((c * c * mp.fdot(u, u) for c, u in live), mpf(0)) / 4
    for (c, w), (e, v) in itertools.combinations(live, 2):
        r, s, sin, rest, cos = angle_terms(w, v)
        total += c * e * r * s * (sin + rest * cos) / (2 * mp.pi)
    return total


def exact_slopes(risk, x):
    """Return ∂F/∂x in 40 digits; a row of W stands for all that have the same unknowns."""
    table = risk.layout.tolist()
    W = [[x[u] for u in row] for row in table]
    teacher = [[mpf(v) for v in row] for row in risk.teacher.tolist()]
    a, b = risk.inner.tolist(), risk.outer.tolist()
    slopes, alike = [mpf(0)] * len(x), {}
    for i, row in enumerate(table):
        alike.setdefault(tuple(sorted(row)), []).append(i)
    for rows in alike.values():
        i = rows[0]
        slope = [mpf(a[i]) * y / 2 for y in W[i]]
        others = [(a[h], W[h]) for h in range(len(W)) if h != i]
        for c, v in others + [(-y, v) for y, v in zip(b, teacher, strict=True)]:
            r, s, sin, rest, _ = angle_terms(W[i], v)
            for p in range(len(slope)):
                slope[p] += mpf(c) * (s * sin * W[i][p] / r + rest * v[p]) / (2 * mp.pi)
        for u, y in zip(table[i], slope, strict=True):
            slopes[u] += len(rows) * mpf(a[i]) * y
    return slopes


class Limit(NamedTuple):
    """A critical point: its unknowns and value in 40 digits, eigenvalues and their error."""

    x: list
    value: Any
    spectrum: Any
    error: float


LIMITS: dict[Any, Limit | None] = {}


def limit(risk, x):
    """Return the critical point that Newton's method finds near x, or `None`."""
    key = tuple(array.tobytes() for array in (*risk, np.array(x)))
    if key not in LIMITS:
        with np.errstate(all="ignore"):
            LIMITS[key] = _limit(risk, x)
    return LIMITS[key]


def _limit(risk, x):
    places = np.eye(len(x))[risk.layout.ravel()]
    y, length = [mpf(v) for v in x], np.inf
    for _ in range(40):
        W = np.array([float(v) for v in y])[risk.layout]
        matrix, sine = curvature(risk, W)
        if not np.isfinite(matrix).all():
            return None
        try:
            slopes = [float(s) for s in exact_slopes(risk, y)]
            step = np.linalg.solve(places.T @ matrix @ places, slopes)
        except (np.linalg.LinAlgError, ZeroDivisionError):
            return None
        length = float(np.max(np.abs(step)))
        if not length < 0.3:
            return None
        y = [v - mpf(s) for v, s in zip(y, step.tolist(), strict=True)]
        if length < 1e-30:
            break
    else:
        return None
    spectrum = np.linalg.eigvalsh(matrix)
    doubt = 1e-12 if sine < 1e-12 else min(1e-15 / sine, sine)
    error = float(np.max(np.abs(spectrum))) * (EIGENVALUES + doubt)
    value = exact_value(risk, [[y[u] for u in row] for row in risk.layout.tolist()])
    return Limit(y, value, spectrum, error)


def true_at(risk, x, claim, witness):
    """Whether there is a critical point as claimed; `witness` is a W of lower value, or `None`."""
    found = limit(risk, x)
    if found is None:
        return False
    sizes = np.bincount(risk.layout.ravel(), minlength=len(x)).tolist()
    gaps = zip(sizes, found.x, x, strict=True)
    distance = mp.sqrt(sum((c * (p - mpf(q)) ** 2 for c, p, q in gaps), mpf(0)))
    low, high, lowest = claim["value_lower"], claim["value_upper"], claim["min_eigenvalue_lower"]
    index, kind = claim["index"], claim["kind"]
    if not (distance <= claim["radius"] and low <= found.value <= high):
        return False
    nondegenerate = np.min(np.abs(found.spectrum)) > found.error
    if not (nondegenerate and np.sum(found.spectrum < 0) == index):
        return False
    if not lowest <= found.spectrum[0] + found.error:
        return False
    if kind == "saddle":
        return index > 0 and witness is not None and exact_value(risk, witness) < found.value
    if kind == "spurious":
        return index == 0 and found.value > 1e-25 and zero_is_attained(risk, witness, found.value)
    return kind == "minimum" and index == 0


def zero_is_attained(risk, witness, value):
    """Whether a lower value is known: a witness has it, or there are students for all teachers."""
    if witness is not None:
        return exact_value(risk, witness) < value
    return all(np.sum(s * risk.inner > 0) >= np.sum(s * risk.outer > 0) for s in (1, -1))


def number(x):
    """Read a number of a file as the checker by itself does."""
    return float.fromhex(x) if isinstance(x, str) else x if isinstance(x, int) else float(x)


def numbers(entries) -> Any:
    return [numbers(x) if isinstance(x, list) else number(x) for x in entries]


def is_true(found):
    """Whether a file's statement is true; of a malformed one, what the checker by itself reads."""
    try:
        claim = dict(found)
        for name in ("value_lower", "value_upper", "min_eigenvalue_lower", "radius"):
            claim[name] = number(found[name])
        symmetric = "blocks" in found
        return (_symmetric_is_true if symmetric else _dense_is_true)(claim)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
        return False


def _symmetric_is_true(claim):
    students, teachers = claim["blocks"], claim["teacher_blocks"]
    if [claim["n"], claim["k"]] != [sum(students), sum(teachers)] or min(students + teachers) < 1:
        return False
    a = np.repeat(numbers(claim["student_weights"]), students).astype(float)
    b = np.repeat(numbers(claim["teacher_weights"]), teachers).astype(float)
    match, values = matches(students, teachers), numbers(claim["values"])
    x = [values[j][i] for i in range(len(students)) for j in range(len(teachers))]
    x += [values[i][-1] for i, j in enumerate(match) if j is not None and students[i] > 1]
    risk = Risk(np.eye(len(b)), b, a, layout(students, teachers, match))
    if claim["kind"] == "global":
        W = np.array(x)[risk.layout]
        zero = claim["value_lower"] <= 0 <= claim["value_upper"] and claim["radius"] >= 0
        flat = claim["index"] == 0 and claim["min_eigenvalue_lower"] <= 0
        return zero and flat and has_teachers_function(risk, W.tolist())
    witness = claim["witness"]
    if witness is not None:
        table = cut_layout(students, teachers, claim["witness_cuts"])
        if table.shape != risk.layout.shape or not table.max() < len(witness):
            return False
        witness = np.array(numbers(witness))[table].tolist()
    return true_at(risk, x, claim, witness)


def has_teachers_function(risk, W):
    """Whether each student is 0 or along an axis, and they add up to each teacher, exactly."""
    sums = [Fraction(-b) for b in risk.outer.tolist()]
    for a, row in zip(risk.inner.tolist(), W, strict=True):
        places = [c for c, y in enumerate(row) if y != 0]
        if len(places) > 1 or min(row) < 0:
            return False
        for c in places:
            sums[c] += Fraction(a) * Fraction(row[c])
    return not any(sums)


def _dense_is_true(claim):
    a, b = np.array(numbers(claim["student_weights"])), np.array(numbers(claim["teacher_weights"]))
    teacher, point = np.array(numbers(claim["teacher"])), np.array(numbers(claim["point"]))
    if claim["kind"] == "global" and claim.get("shares") is not None:
        return _shares_are_true(claim, teacher.tolist(), b.tolist())
    units = np.array(numbers(claim.get("units", ["0x1p0"] * len(a))))
    if not np.all(units > 0) or (len(a), len(b)) != (len(point), len(teacher)):
        return False
    point = point * units[:, None]
    risk = Risk(teacher, b, a / units, np.arange(point.size).reshape(point.shape))
    if claim["kind"] == "global":
        claim = claim | {"kind": "minimum"}
        met = any(
            np.allclose(point * risk.inner[:, None], (b[:, None] * teacher)[list(order)], atol=1e-9)
            for order in itertools.permutations(range(len(b)), len(a))
        )
        if not (met and claim["value_lower"] <= 0 <= claim["value_upper"]):
            return False
        claim |= {"value_lower": -1.0, "value_upper": 1.0}
    witness = claim["witness"] and (np.array(numbers(claim["witness"])) * units[:, None]).tolist()
    if claim["kind"] == "spurious" and witness is None:
        return False
    return true_at(risk, point.ravel().tolist(), claim, witness)


def _shares_are_true(claim, teacher, b):
    sums, gap = [Fraction(-x) for x in b], mpf(0)
    lists = (claim["shares"], claim["assignment"], numbers(claim["student_weights"]))
    for share, j, a, w in zip(*lists, numbers(claim["given"]), strict=True):
        s = Fraction(share)
        if s < 0 or not -1 <= j < len(b):
            return False
        v = teacher[j] if j >= 0 else [0.0] * len(w)
        sums[j] += Fraction(a) * s if j >= 0 else 0
        ratio = mpf(s.numerator) / s.denominator
        gap += sum((mpf(p) - ratio * q) ** 2 for p, q in zip(w, v, strict=True))
    zero = claim["value_lower"] <= 0 <= claim["value_upper"] and claim["radius"] >= 0
    flat = claim["index"] == 0 and claim["min_eigenvalue_lower"] <= 0
    return zero and flat and not any(sums) and mpf(mp.sqrt(gap)) <= number(claim["moved"])


# --- Both checkers --------------------------------------------------------------------------------


def _alone():
    """Load the checker as a file by itself: so it is not slowed down by the run's type checks."""
    spec = spec_from_file_location("checker", check_certificate.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALONE = _alone()
ASKED: list[tuple[str, bool]] = []


@pytest.fixture(autouse=True, scope="module")
def remembered():
    """Let `verify` use the checker by itself, and remember what it asks, to ask it only once."""

    def asked(found):
        ASKED.append((plain(found), False))
        try:
            ALONE.check(found)
        except ALONE.Refused as refused:
            raise Refused(str(refused)) from None
        ASKED[-1] = (plain(found), True)

    with pytest.MonkeyPatch.context() as context:
        context.setattr(verification, "check", asked)
        yield


def plain(found):
    """Write a file but for its sentence, which the checker by itself does not read."""
    return json.dumps(found | {"statement": ""}, sort_keys=True)


def confirmed(found):
    """Whether `verify` and the checker by itself confirm a file; `None` where it is not read."""
    held, text = None, json.dumps(found)
    ASKED.clear()
    with suppress(CertificateError):
        held = verify(parse(text)[0]).holds
    if ASKED and ASKED[-1][0] == plain(found):
        return held, ASKED[-1][1]
    with working_precision(256):
        try:
            ALONE.check(found)
        except ALONE.Refused:
            return held, False
    return held, True


def never_false(cases):
    """Fail where a statement is confirmed that is not true; return how many are refused."""
    refused = 0
    for label, found in cases:
        held, alone = confirmed(found)
        assert held in (None, alone), f"{label}: verify {held}, the checker by itself {alone}"
        read = found if held is not None else as_read_alone(found)
        assert not alone or is_true(read), f"{label}: a false statement is confirmed"
        refused += not alone
    return refused


def as_read_alone(found):
    """Return what the checker by itself takes a file for that the reader refuses.

    It takes any other word for the kind "spurious", for it proves all that this states; it passes
    over a witness where there is no saddle, over second layers beyond the blocks, and over a list
    of no parts; a student of a teacher of negative number is zero.
    """
    read = dict(found)
    if "blocks" not in found:
        if isinstance(found.get("assignment"), list):
            read["assignment"] = [max(j, -1) for j in found["assignment"]]
        return read
    if found["kind"] not in ("global", "minimum", "saddle"):
        read["kind"] = "spurious"
    if found["kind"] != "saddle":
        read["witness"] = read["witness_cuts"] = None
    elif isinstance(found["witness_cuts"], dict):
        read["witness_cuts"] = {j: parts for j, parts in found["witness_cuts"].items() if parts}
    for name, sizes in (("student_weights", "blocks"), ("teacher_weights", "teacher_blocks")):
        if isinstance(found[name], list) and isinstance(found[sizes], list):
            read[name] = found[name][: len(found[sizes])]
    return read


# --- Forgeries ------------------------------------------------------------------------------------


def hexed(array):
    rows = np.asarray(array).tolist()
    return [hexed(x) if isinstance(x, list) else float(x).hex() for x in rows]


def dimensions(found):
    """Dimensions of representations, and what may be mistaken for them."""
    sizes = set(found["blocks"] + found["teacher_blocks"])
    one = {d for p in sizes for d in (p, p - 1, p * (p - 3) // 2, (p - 1) * (p - 2) // 2, p * p)}
    return one | {(p - 1) * (q - 1) for p in sizes for q in sizes}


def of_index(found):
    index, size = found["index"], found["n"] * found["k"]
    steps = {s * d for d in dimensions(found) | {1, 2} for s in (1, -1)}
    counts = {index + s for s in steps} | {0, size, size - index, -index, 2 * index, 10**30}
    return [(f"index {i}", {"index": i}) for i in sorted(counts - {index})]


def of_kind(found):
    for kind in ("global", "spurious", "minimum", "saddle", "spectacular", "Saddle", ""):
        if kind == found["kind"]:
            continue
        bare = {"kind": kind, "witness": None, "witness_cuts": None}
        if kind == "saddle":
            bare |= {"witness": lifted(found, {}), "witness_cuts": {}}
        yield f"kind {kind!r} only", {"kind": kind} if kind != "saddle" else bare
        for index in {0, 1, 2, found["index"]}:
            yield f"kind {kind!r}, index {index}", bare | {"index": index}
        if kind == "global":
            zero = {"value_lower": 0.0, "value_upper": 0.0, "radius": 0.0, "index": 0}
            yield "global in all fields", bare | zero | {"min_eigenvalue_lower": 0.0}
            yield "global with its value", bare | {"index": 0, "min_eigenvalue_lower": 0.0}


def lifted(found, cuts):
    """Return the unknowns of the point itself in the blocks as they are cut."""
    values, students, teachers = found["values"], found["blocks"], found["teacher_blocks"]
    match = matches(students, teachers)
    whole = [values[j][i] for i in range(len(students)) for j in range(len(teachers))]
    whole += [values[i][-1] for i, j in enumerate(match) if j is not None and students[i] > 1]
    coarse, fine = layout(students, teachers, match), cut_layout(students, teachers, cuts)
    named = dict(zip(fine.ravel().tolist(), coarse.ravel().tolist(), strict=True))
    return [whole[named[u]] for u in range(len(named))]


def rearranged(sizes):
    """Yield other blocks of the same number: in another order, two merged, one split."""
    yield from (list(p) for p in set(itertools.permutations(sizes)) if list(p) != sizes)
    for i in range(len(sizes) - 1):
        yield [*sizes[:i], sizes[i] + sizes[i + 1], *sizes[i + 2 :]]
        if sizes[i] > 1:
            yield [*sizes[:i], sizes[i] - 1, sizes[i + 1] + 1, *sizes[i + 2 :]]
    for i, p in enumerate(sizes):
        for part in {1, p // 2, p - 1}:
            if 0 < part < p:
                yield [*sizes[:i], part, p - part, *sizes[i + 1 :]]


def resized(entries, size):
    """Repeat the last entry, or leave out the last ones."""
    return (entries + entries[-1:] * size)[:size]


def of_sizes(found):
    for name, step in itertools.product("nk", (1, -1)):
        yield f"{name} by {step}", {name: found[name] + step}
    students, teachers = found["blocks"], found["teacher_blocks"]
    yield "n and k exchanged", {"n": found["k"], "k": found["n"]}
    yield "blocks exchanged", {"blocks": teachers, "teacher_blocks": students}
    others = list(itertools.product([students, *rearranged(students)], [teachers]))
    others += [(students, other) for other in rearranged(teachers)]
    others += [(other, other) for other in rearranged(students) if students == teachers]
    for rows, columns in others:
        table = [resized(v[:-1], len(rows)) + v[-1:] for v in found["values"]]
        forged = {
            "blocks": rows,
            "teacher_blocks": columns,
            "values": resized(table, len(columns)),
            "student_weights": resized(found["student_weights"], len(rows)),
            "teacher_weights": resized(found["teacher_weights"], len(columns)),
        }
        if (rows, columns) != (students, teachers):
            yield f"blocks {rows} by {columns}", forged
            if len(rows) == len(students) and len(columns) == len(teachers):
                yield f"only blocks {rows}", {"blocks": rows, "teacher_blocks": columns}
    for grown in (1, 2, 100):
        more = {"blocks": [*students[:-1], students[-1] + grown], "n": found["n"] + grown}
        both = {"teacher_blocks": [*teachers[:-1], teachers[-1] + grown], "k": found["k"] + grown}
        yield f"{grown} more students", more
        yield f"{grown} more of both", more | both


def of_values(found):
    table = np.array(numbers(found["values"]))
    used = [(j, i) for j, i in np.ndindex(*table.shape) if table[j, i] != 0]

    def changed(name, new):
        return name, {"values": hexed(new)}

    for j, i in used:
        for step in (1e-3, -1e-6, 1e-9):
            new = table.copy()
            new[j, i] += step
            yield changed(f"values[{j}][{i}] by {step}", new)
        for entry in (0.0, -table[j, i], 1e300, 5e-324):
            new = table.copy()
            new[j, i] = entry
            yield changed(f"values[{j}][{i}] = {entry}", new)
    for order in itertools.permutations(range(len(used))):
        new = table.copy()
        for p, q in zip(order, used, strict=True):
            new[q] = table[used[p]]
        if not np.array_equal(new, table) and len(used) <= 3:
            yield changed(f"values in the order {order}", new)
    yield changed("values in rows turned", table[::-1])
    yield changed("values in columns turned", table[:, ::-1])
    yield changed("no values", 0 * table)
    yield changed("values along the teachers", np.eye(*table.shape))
    for factor in (-1.0, 1 + 1e-6, 1 - 1e-8, 2.0, 1e-300, 1e200):
        yield changed(f"values times {factor}", factor * table)
    for name in BASES:
        other = base(name)["values"]
        if np.shape(other) == table.shape and other != found["values"]:
            yield f"values of '{name}'", {"values": other}
    for entry in ("inf", "nan", "-inf", "0x1.0p+5000", "0x1p0", "1.0", "0x", None, True, 3, []):
        new = [list(row) for row in found["values"]]
        new[0][0] = entry
        yield f"values[0][0] is {entry!r}", {"values": new}


def of_bounds(found):
    low, high = found["value_lower"], found["value_upper"]
    least, radius = found["min_eigenvalue_lower"], found["radius"]
    for power in (15, 14, 13, 12, 10, 8, 6, 4, 2, 1):
        part = 10.0**-power
        yield f"value_lower by {part}", {"value_lower": low + part * (abs(high) or 1)}
        yield f"value_upper by {-part}", {"value_upper": high - part * (abs(high) or 1)}
        if power <= 10:
            better = {"min_eigenvalue_lower": least + part * (abs(least) or 1)}
            yield f"min_eigenvalue_lower by {part}", better
        if power <= 8:
            yield f"radius less by {part}", {"radius": radius * (1 - part)}
    yield "values exchanged", {"value_lower": high, "value_upper": low}
    yield "no values", {"value_lower": 0.0, "value_upper": 0.0}
    yield "values of the other sign", {"value_lower": -high, "value_upper": -low}
    yield "eigenvalue of the other sign", {"min_eigenvalue_lower": -least}
    yield "radius of the other sign", {"radius": -radius}
    extremes = [0.0, -0.0, 1e-308, 1e308, 1, 10**400, np.nan]
    extremes += [s * x for s in (1, -1) for x in (5e-324, 1.7e308, np.inf)]
    for name in ("value_lower", "value_upper", "min_eigenvalue_lower", "radius"):
        yield from ((f"{name} = {entry}", {name: entry}) for entry in extremes)


def of_weights(found):
    for name in ("student_weights", "teacher_weights"):
        weights = numbers(found[name])
        for i, w in enumerate(weights):
            for other in (w * (1 + 1e-9), w * 1.1, -w, 0.0, 2 * w, 1e-300, 5e-324, 1e300):
                new = [*weights[:i], other, *weights[i + 1 :]]
                yield f"{name}[{i}] = {other}", {name: hexed(new)}
        yield f"{name} turned", {name: hexed([2 * w for w in weights[::-1]])}
        yield f"{name} with one more", {name: hexed([*weights, 1.0])}
        yield f"{name} with one less", {name: hexed(weights[:-1])}


def of_witness(found):
    if found["witness"] is None:
        yield "a witness", {"witness": hexed([0.0]), "witness_cuts": {}}
        return
    witness, cuts = np.array(numbers(found["witness"])), found["witness_cuts"]
    own = np.array(numbers(lifted(found, cuts)))
    others = {
        "the point": own,
        "beyond the point": 2 * own - witness,
        "little beside the point": own + 1e-20 * (witness - own),
        "higher": own + 1.0,
        "twice": 2 * witness,
        "far": own + 1e6 * (witness - own),
        "zero": 0 * own,
        "turned": witness[::-1],
        "other sign": -witness,
        "huge": 1e300 * own,
        "tiny": 1e-300 * own,
        "one more": np.append(witness, 0.0),
        "one less": witness[:-1],
        "none": witness[:0],
    }
    yield from ((f"witness {name}", {"witness": hexed(w)}) for name, w in others.items())
    for u in range(len(witness)):
        new = witness.copy()
        new[u] += 0.5
        yield f"witness[{u}] higher", {"witness": hexed(new)}
    sizes = found["teacher_blocks"]
    for j, q in enumerate(sizes):
        parts = [[q], [1] * min(q, 6), [q - 1, 1], [1, q - 1], [q + 1, -1], [0, q], [q, q], []]
        for part in parts:
            new = {**cuts, str(j): part}
            if new != cuts:
                yield f"witness_cuts {new}", {"witness_cuts": new}
            if sum(part) == q and min(part) > 0:
                yield f"the point, {new}", {"witness_cuts": new, "witness": lifted(found, new)}
    yield "witness_cuts of no block", {"witness_cuts": {**cuts, "7": [1]}}
    yield "witness_cuts of a block by another name", {"witness_cuts": {"00": [1, 1]}}


# The checker by itself does not read these, and the reader refuses what they cannot be: words of
# the file's head, the versions, the seconds of the proof.
UNREAD = ("format", "version", "statement", "versions", "seconds")


def of_types(found):
    wrong = (None, "", "word", True, 0.5, -1, [], [[]], [None], {}, {"0": 1}, "0x1p+5000", "0xzz")
    for name in found:
        if name not in UNREAD and name != "witness_cuts":
            yield from ((f"{name} is {entry!r}", {name: entry}) for entry in wrong)


# Of these, which take 20 ms each, fewer cases.
SLOW = (
    "spurious, one flipped, k = 6", "saddle, one flipped, k = 5", "saddle, two blocks of two",
    "saddle, two and three", "saddle, n < k", "saddle with second layers",
)  # fmt: skip
FIELDS = (of_index, of_kind, of_sizes, of_values, of_bounds, of_weights, of_witness)
TYPED = ("saddle, three in one block", "minimum of one student", "global, the teacher")


def some(cases, share):
    """Pick a share of the cases, the same ones every time."""
    order = np.random.default_rng(0).permutation(len(cases))
    return [cases[i] for i in np.sort(order[: int(np.ceil(share * len(cases)))])]


@cache
def forgeries(name, fields=FIELDS):
    """List certificates with one field forged, and what belongs to it."""
    found = base(name)
    changes = [pair for field in fields for pair in field(found)]
    cases = [(f"{name}: {label}", found | change) for label, change in changes]
    return some(cases, SHARE_OF_SLOW if name in SLOW else SHARE)


@pytest.mark.parametrize("name", BASES)
def test_no_false_statement_with_one_field_forged_is_confirmed(name):
    assert confirmed(base(name)) == (True, True)
    assert is_true(base(name))
    cases = forgeries(name)
    assert never_false(cases) > 0.6 * len(cases)


@pytest.mark.parametrize("name", TYPED)
def test_no_field_of_a_wrong_type_is_confirmed(name):
    cases = forgeries(name, (of_types,))
    assert never_false(cases) > 0.8 * len(cases)


@cache
def forged_in_pairs():
    """List certificates with two fields forged."""
    rng, cases = np.random.default_rng(0), []
    for name in BASES:
        found = base(name)
        for _ in range(14):
            one, other = rng.choice(len(FIELDS), 2, replace=False)
            pairs = [list(FIELDS[i](found)) for i in (one, other)]
            labels, changes = zip(*(pair[rng.integers(len(pair))] for pair in pairs), strict=True)
            cases.append((f"{name}: {' and '.join(labels)}", found | changes[0] | changes[1]))
    return cases


def test_no_false_statement_with_two_fields_forged_is_confirmed():
    cases = forged_in_pairs()
    assert never_false(cases) > 0.8 * len(cases)


def test_weaker_statements_are_confirmed():
    for name in BASES:
        found = base(name)
        least = found["min_eigenvalue_lower"] - 0.1
        weaker = {"min_eigenvalue_lower": least, "radius": 0.01, "value_upper": 1.0}
        if found["kind"] != "saddle":  # Its witness is just below its value.
            weaker["value_lower"] = found["value_lower"] * 0.9
        assert confirmed(found | weaker) == (True, True)
        assert is_true(found | weaker)


# --- Points that are not what is said -------------------------------------------------------------


def stated(blocks, teachers, values, witness, a=None, b=None, *, index=None, reach=1e-9):
    """Write the best certificate that float64 suggests at a point, critical or not."""
    a = np.ones(len(blocks)) if a is None else np.array(a)
    b = np.ones(len(teachers)) if b is None else np.array(b)
    found = {
        "blocks": list(blocks), "teacher_blocks": list(teachers), "values": hexed(values),
        "student_weights": hexed(a), "teacher_weights": hexed(b),
        "n": sum(blocks), "k": sum(teachers), "radius": reach, "seconds": 0.0, "versions": {},
        "witness": None, "witness_cuts": None, "statement": "",
        "format": "landscape_jax symmetric certificate", "version": 1,
    }  # fmt: skip
    table = layout(blocks, teachers, matches(blocks, teachers))
    risk = Risk(np.eye(sum(teachers)), np.repeat(b, teachers), np.repeat(a, blocks), table)
    W = np.array([float.fromhex(x) for x in lifted(found, {})])[table]
    with np.errstate(all="ignore"):
        matrix = curvature(risk, W)[0]
    spectrum = np.linalg.eigvalsh(matrix) if np.isfinite(matrix).all() else np.full(W.size, -1.0)
    value = float(exact_value(risk, W.tolist()))
    index = int(np.sum(spectrum < 0)) if index is None else index
    found |= {
        "kind": "saddle" if index else "spurious" if sum(blocks) >= sum(teachers) else "minimum",
        "index": index, "min_eigenvalue_lower": float(spectrum[0]) - 1e-3,
        "value_lower": max(value - 1e-3, value / 2), "value_upper": value + 1e-3,
    }  # fmt: skip
    return found | (witness if index else {})


def witness_of(found):
    return {name: found[name] for name in ("witness", "witness_cuts")}


@cache
def points_beside():
    """List what float64 suggests at points that are not critical, with a small radius and none."""
    rng, cases = np.random.default_rng(1), []
    for name, (blocks, teachers, _, *weights) in BASES.items():
        found = base(name)
        witness = witness_of(found)
        if witness["witness"] is None:
            witness = {"witness": hexed(numbers(lifted(found, {}))), "witness_cuts": {}}
        values = np.array(numbers(found["values"]))
        for power in (1, 2, 3, 5, 7, 9):
            step = 10.0**-power * rng.choice([-1, 1], values.shape) * (values != 0)
            reach = 10.0 ** -rng.uniform(power + 0.5, 17)
            forged = stated(blocks, teachers, values + step, witness, *weights, reach=reach)
            cases.append((f"{name}: beside by 1e-{power}, radius {reach}", forged))
        for turn in range(2):
            noise = rng.normal(size=values.shape) * (values != 0)
            forged = stated(blocks, teachers, noise, witness, *weights, reach=1e-3)
            cases.append((f"{name}: a random point, {turn}", forged))
    return cases


def test_points_beside_critical_ones_are_not_confirmed():
    cases = points_beside()
    assert never_false(cases) > 0.98 * len(cases)


def finer(found, sizes):
    """Return the values of a point of matched blocks in smaller ones."""
    cuts, parts = {}, list(sizes)
    for j, q in enumerate(found["blocks"]):
        cuts[str(j)] = []
        while sum(cuts[str(j)]) < q:
            cuts[str(j)].append(parts.pop(0))
    x, m = numbers(lifted(found, cuts)), len(sizes)
    values, last = np.zeros((m, m + 1)), m * m
    values[:, :m] = np.reshape(x[:last], (m, m)).T
    for i, p in enumerate(sizes):
        if p > 1:
            values[i, m], last = x[last], last + 1
    return values


FINER = {
    "spurious, six in one block": ([1, 5],),
    "spurious, one flipped, k = 6": ([1, 2, 3],),
    "saddle, one flipped, k = 5": ([1, 1, 3],),
    "saddle, four in one block": ([2, 2], [1, 1, 1, 1]),
    "saddle, three in one block": ([1, 2],),
}


@cache
def in_smaller_blocks():
    """List points that a larger group fixes, stated of smaller blocks, and what may be mistaken."""
    right, wrong = [], []
    for name, others in FINER.items():
        found = base(name)
        for sizes in others:
            label = f"{name}, blocks {sizes}"
            proof = prove(sizes, sizes, finer(found, sizes))
            cut = written(proof)
            right.append((label, cut))
            steps = dimensions(found) | {1, 2}
            indices = {found["index"] + s * d for d in steps for s in (1, -1)} - {found["index"]}
            wrong += [(f"{label}: index {i}", cut | {"index": i}) for i in sorted(indices)]
            joined = {"blocks": found["blocks"], "teacher_blocks": found["teacher_blocks"]}
            wrong.append((f"{label}: joined", cut | joined))
            for i in range(len(sizes)):
                moved = np.array(numbers(cut["values"]))
                moved[i] += 1e-7
                wrong.append((f"{label}: block {i} moved", cut | {"values": hexed(moved)}))
    return right, wrong


@pytest.mark.slow
def test_a_point_of_a_larger_group_has_the_same_index_in_smaller_blocks():
    right, wrong = in_smaller_blocks()
    assert never_false(right) == 0
    assert all(is_true(found) for _, found in right)
    assert never_false(wrong) == len(wrong)


# --- Nearly degenerate and degenerate -------------------------------------------------------------


@cache
def near_a_crossing():
    """List points whose least eigenvalue is about 0, of either sign, with either index.

    The weight of the first teacher is where four eigenvalues cross 0, but for so much.
    """
    blocks = [1, 5]
    found = base("spurious, one flipped, k = 6")
    known = {1.0: numbers(lifted(found, {}))}

    def least(weight):
        near = min(known, key=lambda other: abs(other - weight))
        outer = np.array([weight, *np.ones(5)])
        risk = Risk(np.eye(6), outer, np.ones(6), layout(blocks, blocks, [0, 1]))
        end = limit(risk, known[near])
        assert end is not None
        known[weight] = [float(x) for x in end.x]
        return end.spectrum[0]

    low, high = [(weight, least(weight)) for weight in (1.05, 1.1, 1.15)][1:]
    for _ in range(6):  # The secant method.
        weight = low[0] - low[1] * (high[0] - low[0]) / (high[1] - low[1])
        low, high = high, (weight, least(weight))
        if abs(high[1]) < 1e-13:
            break
    right, wrong, crossing = [], [], high[0]
    for power, side in itertools.product((1.5, 3, 5, 7, 9), (1, -1)):
        weight = crossing + side * 10.0**-power
        least(weight)
        u = known[weight]
        values = [[u[0], u[2], 0], [u[1], u[3], u[4]]]
        proof = prove_symmetric(blocks, blocks, np.array(values), None, [weight, 1.0], max_move=1.0)
        if not proof:
            continue
        known_as = written(proof)
        label = f"beyond the crossing by {side}e-{power}"
        right.append((label, known_as))
        other = {"index": 4, "kind": "saddle", "witness": hexed(u), "witness_cuts": {}}
        if known_as["index"]:
            other = {"index": 0, "kind": "spurious", "witness": None, "witness_cuts": None}
        wrong.append((label, known_as | other))
        wrong.append((f"{label}, definite", known_as | other | {"min_eigenvalue_lower": 1e-13}))
        wrong += [(f"{label}, index {i}", known_as | {"index": i}) for i in (1, 3, 5, 8)]
        bound = known_as["min_eigenvalue_lower"]
        better = {"min_eigenvalue_lower": bound + abs(bound) / 100 + 1e-10}
        wrong.append((f"{label}, better", known_as | better))
    return right, wrong


def test_index_is_right_on_either_side_of_a_crossing():
    right, wrong = near_a_crossing()
    assert {found["index"] for _, found in right} == {0, 4}
    assert never_false(right) == 0
    assert never_false(wrong) == len(wrong)


@cache
def near_a_fold():
    """List points near the teacher's weight at which two of them meet, and with either's index."""
    x = [
        [-0.3254593953747629, 0.04677523271632379, 0.6423054655206747],
        [-0.017640961524275658, 0.10091729137369372, 0.0],
    ]
    right, wrong, fold = [], [], 0.053299849830655
    for beyond, side in itertools.product((1e-12, 1e-9, 1e-6, 1e-4), (1, -1)):
        start, weights = np.array(x) * (1 + side * beyond**0.5), [1.0, fold + beyond]
        proof = prove_symmetric([3, 1], [3, 2], start, None, weights, max_move=0.5)
        if not proof:
            continue
        found = written(proof)
        label, index = f"{beyond} from the fold, {side}", found["index"]
        right.append((label, found))
        steps = (-index, -2, -1, 1, 2)
        wrong += [(f"{label}, index by {s}", found | {"index": index + s}) for s in steps]
        none = {"teacher_weights": hexed([1.0, fold - max(beyond, 1e-9)]), "radius": 1e-2}
        for s in (-1, 0, 1):
            wrong.append((f"{label}, no point there, {s}", found | none | {"index": index + s}))
    return right, wrong


@pytest.mark.slow
def test_index_is_right_near_the_birth_of_a_pair_of_points():
    right, wrong = near_a_fold()
    assert len({found["index"] for _, found in right}) == 2
    assert never_false(right) == 0
    assert never_false(wrong) == len(wrong)


@cache
def near_the_wide_crossing():
    """List `three flipped and their mean`, two of whose eigenvalues cross 0 at k = 16.965."""
    right, wrong = [], []
    rough = [[1.0022, 0.0233, -0.0631, -0.001], [0.058, -0.6394, 0.4688, 0.1655]]
    for size in (13, 14):
        proof = prove([size, 3, 1], [size, 3], rough)
        found = written(proof)
        right.append((f"k = {size + 3}", found))
        for index in sorted(dimensions(found) | {0, 1, 2, 3, 4}):
            forged = found | {"index": index}
            wrong += [(f"k = {size + 3}, index {index}", forged)] * (index != found["index"])
        bare = {"kind": "spurious", "index": 0, "witness": None, "witness_cuts": None}
        if found["index"]:
            wrong.append(("k = 16, spurious", found | bare | {"min_eigenvalue_lower": 1e-6}))
            wrong.append(("k = 16, called spurious", found | bare))
        tighter = found["min_eigenvalue_lower"] + 1e-7
        wrong.append((f"k = {size + 3}, tighter", found | {"min_eigenvalue_lower": tighter}))
    return right, wrong


@pytest.mark.slow
def test_index_is_right_on_either_side_of_a_crossing_in_k():
    right, wrong = near_the_wide_crossing()
    assert [found["index"] for _, found in right] == [2, 0]
    assert never_false(right) == 0
    assert never_false(wrong) == len(wrong)


@cache
def degenerate():
    """List split, equal, zero and parallel neurons, with any index, kind and radius.

    A split neuron keeps the function for every share: the Hessian is singular along that line.
    """
    points = []
    lone = np.array(numbers(base("spurious, one flipped, k = 6")["values"]))
    for share in (0.1, 0.5, 0.9, 1 - 1e-9):
        columns = [share * lone[:, 0], lone[:, 1], (1 - share) * lone[:, 0], lone[:, 2]]
        points.append(("split", [1, 5, 1], [1, 5], np.stack(columns, 1)))
        teacher = [[share, 0, 1 - share, 0], [0, 1, 0, 0]]
        points.append(("a split teacher", [1, 5, 1], [1, 5], np.array(teacher)))
    points.append(("a neuron more that is zero", [1, 5, 1], [1, 5], np.insert(lone, 2, 0, 1)))
    points.append(("one little more", [1, 5, 1], [1, 5], np.insert(lone, 2, 1e-300, 1)))
    points.append(("equal students", [2], [3], np.array([[0.5, 0]])))
    points.append(("equal students in two blocks", [1, 1], [3], np.array([[0.569, 0.569, 0]])))
    points.append(("zero", [2], [2], np.zeros((1, 2))))
    for own in (1.0, 0.5, -1.0, 1 + 1e-15):
        values = np.array([[own, 0, 0], [0, 1, 0]])
        points.append((f"parallel to the teachers, {own}", [1, 2], [1, 2], values))
        points.append((f"along one teacher, {own}", [1], [2], np.array([[own, 0]])))
    saddle = base("saddle, one flipped, k = 5")
    cases = []
    for label, blocks, teachers, values in points:
        cut = {"witness": hexed(numbers(lifted(saddle, {}))), "witness_cuts": {}}
        for index, reach in itertools.product((0, 1, 5, None), (1e-12, 1e-2)):
            if label.startswith(("zero", "a neuron more")) and index is None:
                continue
            forged = stated(blocks, teachers, values, cut, index=index, reach=reach)
            forged["value_lower"] = max(forged["value_lower"], 1e-300)
            cases.append((f"{label}, index {index}, radius {reach}", forged))
            if not index:
                flat = {"min_eigenvalue_lower": 1e-300, "kind": "minimum", "value_lower": 0.0}
                cases.append((f"{label}, definite, radius {reach}", forged | flat))
    return cases


def test_degenerate_points_are_not_confirmed():
    cases = degenerate()
    assert never_false(cases) > 0.9 * len(cases)


# --- Certificates that hold W ---------------------------------------------------------------------

TEACHER = np.array([[1.0, 0.5, 0.0], [-0.25, 1.0, 0.5], [-1.0, -0.75, 1.0]])
DENSE = {
    "two students": ([[0.9246, 1.2467], [-0.0528, -0.1013]], 2),
    "two students, three teachers": ([[-0.1358, 1.4063], [1.3891, -0.8897]], 3),
    "three students": (
        [[-0.0964, -0.4973, 0.319], [-2.2388, -0.0767, 1.918], [1.0373, 1.02, 0.0966]], 3,
    ),
}  # fmt: skip


@cache
def dense(name):
    """Return the JSON object of a saddle or an exhibited global minimum."""
    if name == "exhibited":
        teacher, b, a = TEACHER[:2, :2], np.array([0.7, 0.3]), np.array([0.1, 1.0, 3.0, 2.0])
        W = np.array([3.0, 0.4, 0.1, 0.0])[:, None] * teacher[[0, 0, 1, 0]] + 1e-9
    else:
        W, k = DENSE[name]
        teacher, b = TEACHER[:k, : len(W[0])], np.array([1.0, 0.75, 1.0])[:k]
        a = np.array([1.0, 0.5, 1.0])[: len(W)]
    proof = prove_critical_point(make_risk(teacher, b, a), np.array(W), max_move=1e-2)
    assert isinstance(proof, PointCertificate), proof.reason
    return written(proof)


def of_dense_words(found):
    index, size = found["index"], np.size(found["point"])
    for i in {index + s for s in range(-3, 4)} | {size, size - index, -index} - {index}:
        yield f"index {i}", {"index": i}
    for kind in ("global", "saddle", "minimum", "spurious", "spectacular"):
        yield f"kind {kind}", {"kind": kind}
        yield f"kind {kind} of index 0", {"kind": kind, "index": 0}
    n = len(found["point"])
    shares = {"kind": "global", "index": 0, "shares": ["1/1"] * n, "witness": None}
    flat = {"value_lower": 0.0, "value_upper": 1.0, "min_eigenvalue_lower": 0.0, "radius": 0.0}
    for far in (0.0, 1.0, 100.0):
        exhibit = {"assignment": [i % len(found["teacher"]) for i in range(n)], "moved": far}
        yield f"global by shares, {far}", shares | flat | exhibit


def of_dense_arrays(found):
    for name in ("point", "teacher", "witness", "student_weights", "teacher_weights", "given"):
        if found[name] is None:
            continue
        array = np.array(numbers(found[name]))
        for place in np.ndindex(*array.shape):
            for step in (1e-3, 1e-9):
                new = array.copy()
                new[place] += step
                yield f"{name}{list(place)} by {step}", {name: hexed(new)}
            for entry in (0.0, -array[place], 1e300):
                new = array.copy()
                new[place] = entry
                yield f"{name}{list(place)} = {entry}", {name: hexed(new)}
        for other in (array[::-1], array.T, array[..., ::-1], 0 * array, -array, 2 * array):
            yield f"{name} turned", {name: hexed(other)}
    if found["witness"] is not None:
        yield "the point as witness", {"witness": found["point"]}


def of_shares(found):
    shares, places = found["shares"], found["assignment"]
    if shares is None:
        return
    for i, share in enumerate(shares):
        top, bottom = map(int, share.split("/"))
        for other in (top + 1, top - 1, -top, 0, 2 * top):
            new = Fraction(other, bottom)
            text = f"{new.numerator}/{new.denominator}"
            yield f"shares[{i}] = {text}", {"shares": [*shares[:i], text, *shares[i + 1 :]]}
        for other in ("0/0", "1/0", "1", "", "1/-1", "-1/1", "nan/1", "1/2/3", "0x1/1"):
            yield f"shares[{i}] = {other}", {"shares": [*shares[:i], other, *shares[i + 1 :]]}
        for j in (-2, -1, 0, 1, 2, 10**9):
            moved = [*places[:i], j, *places[i + 1 :]]
            yield f"assignment[{i}] = {j}", {"assignment": moved}
    half, third = Fraction(1, 2), Fraction(-1, 3)
    for step in (half, third, Fraction(1, 10**30)):
        first = Fraction(shares[0]) + 10 * step, Fraction(shares[1]) - step
        new = [f"{s.numerator}/{s.denominator}" for s in first]
        yield f"shares exchanged by {step}", {"shares": new + shares[2:]}
        yield f"shares exchanged by {step}, far", {"shares": new + shares[2:], "moved": 100.0}
    for part in (0.5, 1 - 1e-6, 1 - 1e-12, 0.0, -1.0):
        yield f"moved by {part}", {"moved": part * found["moved"]}
    yield "shares turned", {"shares": shares[::-1]}
    yield "fewer shares", {"shares": shares[:-1]}
    yield "no shares", {"shares": None, "assignment": None}


@cache
def forged_dense():
    fields = (of_dense_words, of_bounds, of_dense_arrays, of_shares)
    rng, cases = np.random.default_rng(2), []
    for name in (*DENSE, "exhibited"):
        found = dense(name)
        listed = [list(field(found)) for field in fields if list(field(found))]
        cases += [(f"{name}: {x}", found | change) for pairs in listed for x, change in pairs]
        for _ in range(50):
            one, other = rng.choice(len(listed), 2, replace=False)
            x, y = (listed[i][rng.integers(len(listed[i]))] for i in (one, other))
            cases.append((f"{name}: {x[0]} and {y[0]}", found | x[1] | y[1]))
    return some(cases, SHARE / 2)


def test_no_false_saddle_or_exhibited_minimum_is_confirmed():
    for name in (*DENSE, "exhibited"):
        assert confirmed(dense(name)) == (True, True)
        assert is_true(dense(name))
    cases = forged_dense()
    assert never_false(cases) > 0.7 * len(cases)


@cache
def forged_minima():
    """List certificates of strict minima with kind, index and bounds forged."""
    cases = []
    for size in (1, 2, 3):
        teacher = TEACHER[:size, :size]
        proof = prove_minimum(make_risk(teacher), teacher + 1e-6)
        found = written(proof)
        below = {"min_eigenvalue_lower": 0.9 * found["min_eigenvalue_lower"]}
        for kind in ("minimum", "spurious", "global", "saddle", "spectacular"):
            for index in (-1, 0, 1, 2, size**2):
                forged = found | {"kind": kind, "index": index}
                cases.append((f"{size}: {kind} of index {index}", forged))
                cases.append((f"{size}: {kind} of index {index}, less", forged | below))
                lift = {"value_lower": 1e-12, "value_upper": 1.0, "witness": found["point"]}
                cases.append((f"{size}: {kind} of index {index}, above 0", forged | lift))
        cases += [(f"{size}: {label}", found | change) for label, change in of_bounds(found)]
        cases += [
            (f"{size}: {label}", found | change)
            for label, change in of_dense_arrays(found)
            if not label.startswith("given")
        ]
    return some(cases, SHARE / 2)


def test_no_false_strict_minimum_is_confirmed_by_either_checker():
    """The checker by itself leaves out some fields; what it confirms is true of the others."""
    refused = 0
    for label, found in forged_minima():
        held, alone = confirmed(found)
        assert not (held or alone) or is_true(found), label
        refused += not alone
    assert refused > 0.5 * len(forged_minima())


# --- Mistakes in the prover -----------------------------------------------------------------------

CHAIN = (
    "blocks", "isotypic", "reduced_risk", "symmetric_point", "symmetric_certificate",
    "symmetric_proof",
)  # fmt: skip
SOURCES = {name: inspect.getsource(import_module(f"landscape_jax.proofs.{name}")) for name in CHAIN}
MISTAKES = {
    "reduced_risk": [
        ("a factor 2 of |w|² in F", "a * p * length / 4", "a * p * length / 2"),
        ("a factor 2 of |w|² in ∇F", "a * p * m / 4", "a * p * m / 2"),
        ("a factor 2 of |w|² in ∇²F", "a * p / 4, seconds", "a * p / 2, seconds"),
        ("the sign of the teachers' pairs", "squares / 4 + (whole", "squares / 4 - (whole"),
        ("a factor 2 of the teachers' pairs", "/ (4 * arb.pi())", "/ (2 * arb.pi())"),
        ("no f_B in ∇F", "slope + second * moves", "slope + 0 * moves"),
        ("no f_B in ∇²F", "weight * f.second, seconds", "0 * f.second, seconds"),
        ("the sign of f_P in ∇²F", "weight * f.inner, _bends", "-weight * f.inner, _bends"),
        ("the sign of the angle", "(self._pi - arb.atan2", "(self._pi + arb.atan2"),
        ("the sign of sin t in F", "(root + (self._pi", "(-root + (self._pi"),
        ("a factor 2 of f_A", "self._root / (4 * self._pi * self._a)",
         "self._root / (2 * self._pi * self._a)"),
        ("a factor 2 of f_B", "self._root / (4 * self._pi * self._b)",
         "self._root / (2 * self._pi * self._b)"),
        ("a factor 2 of f_PP", "self._over / (2 * self._pi)", "self._over / self._pi"),
        ("the sign of f_AP", "-self._p * self._over / (4 * self._pi * self._a)",
         "self._p * self._over / (4 * self._pi * self._a)"),
        ("a factor 2 of f_BP", "-self._p * self._over / (4 * self._pi * self._b)",
         "-self._p * self._over / (2 * self._pi * self._b)"),
        ("a factor 2 of f_AB", "return self._over / (8", "return self._over / (4"),
        ("a factor 2 in f_AA", "- 2 * root /", "- root /"),
        ("a power of A in f_AA", "root / (one * one)", "root / one"),
        ("no first term of f_AA", "other * over / one - 2", "-2"),
        ("half of P's derivative", "[(v, u, c) for u", "[(u, v, c) for u"),
        ("half of the lengths' derivative in ∇F", "blocks = self.blocks\n        moves = [[2 *",
         "blocks = self.blocks\n        moves = [[1 *"),
        ("half of the lengths' derivative in ∇²F",
         "len(directions)\n        moves = [[2 *", "len(directions)\n        moves = [[1 *"),
        ("half of a form's second derivative", "+ other.get(u, 0) * e.get(v, 0))", ")"),
    ],
    "blocks": [
        ("a factor 2 of pairs in a block", "p[i] * (p[i] - 1) / 2", "p[i] * (p[i] - 1)"),
        ("p of pairs in a block", "p[i] * (p[i] - 1) / 2", "p[i] * p[i] / 2"),
        ("pairs of two blocks", "a[i] * a[h] * p[i] * p[h]", "a[i] * a[h] * p[i]"),
        ("p - 1 for p - 2 other teachers", "(off, off, q - 2)", "(off, off, q - 1)"),
        ("p for p - 1 other teachers", "(off, off, q - 1)]", "(off, off, q)]"),
        ("p² for p(p - 1) entries", "counts.append(p * (p - 1))", "counts.append(p * p)"),
        ("p for p - 1 between blocks", "None], v, q - 1)", "None], v, q)"),
        ("p for p - 1 between blocks, reversed", "h, None], q - 1)", "h, None], q)"),
        ("the sign of the teachers", "-self.student_weights[i] * b", "self.student_weights[i] * b"),
        ("the unknowns of a cut", "and c != self.fine.match[r]", "and False"),
    ],
    "isotypic": [
        ("dimensions exchanged", "_half(p * (p - 3))", "_half((p - 1) * (p - 2) + 0)",
         "= _half((p - 1) * (p - 2))", "= _half(p * (p - 3))"),
        ("p for p - 1 of a dimension", '{g.name}", p - 1, cut', '{g.name}", p, cut'),
        ("the product's dimension", "(g.size - 1) * (h.size - 1)", "g.size * h.size"),
        ("a half of a dimension", "_half((p - 1) * (p - 2))", "(p - 1) * (p - 2)"),
        ("u that is not orthogonal to 1", "u = [1, -1]", "u = [1, 1]"),
        ("a direction twice", "u[r] - u[c]", "u[r] + u[c]"),
        ("a direction left out", "found.append(square.matrix(lambda r, c, same: u[r] if",
         "str(square.matrix(lambda r, c, same: u[r] if"),
        ("the root of a length", "length = square.sqrt()", "length = square"),
        ("the root of a count", "{u: 1 / arb(count).sqrt()}", "{u: 1 / arb(count)}"),
        ("one direction for another", "[[0, 2 - p, 1], [2 - p, 0, 1], [1, 1, rest]]",
         "[[0, p - 2, -1], [2 - p, 0, 1], [1, -1, 0]]"),
        ("no product of two groups", "yield from _of_two(blocks, g, h)", "pass"),
        ("no group", "yield from _of_one(blocks, g)", "pass"),
        ("row sums of (p - 2, 1, 1)", "[[0, p - 2, -1], [2 - p", "[[0, p, -1], [-p"),
        ("a mean of p", "arb(-1) / (one.size - 1)]", "arb(-1) / one.size]"),
    ],
    "symmetric_point": [
        ("negative eigenvalues twice", "negative += 1", "negative += 2"),
        ("no negative eigenvalue", "negative += 1", "negative += 0"),
        ("a distance without counts", "total(c * (p - q) ** 2 for p, q, c in gaps).nonneg",
         "total((p - q) ** 2 for p, q, c in gaps).nonneg"),
        ("a higher witness", "bound < lower(at.value)", "bound > lower(at.value)"),
    ],
    "symmetric_proof": [
        ("an index without dimensions", "s.negative * s.component.dimension", "s.negative"),
        ("eigenvalues too good", "least - SLACK * abs(least)", "least + 1e-6 * abs(least)"),
        ("a radius too small", "(at.radius * (1 + arb(SLACK)))", "(at.radius * (1 - arb(1e-6)))"),
        ("a value too high", "max(0.0, lower(at.value))", "upper(at.value) + 1e-9"),
        ("a value too low", '"value_upper": upper(at.value)', '"value_upper": lower(at.value)'),
        ("0 attained everywhere", "if students < teachers:", "if False:"),
    ],
}  # fmt: skip
TRIED = (
    "saddle, four in one block", "spurious, six in one block", "saddle, n < k",
    "minimum of one student", "saddle, down along the fixed space", "saddle, two and three",
)  # fmt: skip


def with_mistake(context, module, changes):
    """Return `prove_symmetric` of modules made anew, one of which has a mistake."""
    made = None
    for name in CHAIN:
        source, full = SOURCES[name], f"landscape_jax.proofs.{name}"
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            if name == module:
                assert source.count(old) == 1, f"{name} does not have {old!r} once: adapt it here."
                source = source.replace(old, new)
        made = ModuleType(full)
        context.setitem(sys.modules, full, made)
        exec(compiled(source, full), made.__dict__)
    assert made is not None
    return made.prove_symmetric


@cache
def compiled(source, name):
    return compile(source, name, "exec")


def proven_by(prover, name):
    """Return what a prover makes of one of the points, or `None`, however it fails."""
    blocks, teachers, _, *weights = BASES[name]
    values = np.array(numbers(base(name)["values"]))
    try:
        return prover(blocks, teachers, values, *weights, max_move=0.1) or None
    except Exception:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("module", MISTAKES)
def test_a_mistake_in_the_prover_is_noticed(module, monkeypatch):
    """Of no point it proves what is false and confirmed; of some point nothing is confirmed."""
    unnoticed = []
    for label, *changes in MISTAKES[module]:
        with monkeypatch.context() as context:
            broken = with_mistake(context, module, changes)
            proofs = [(f"{label}: {name}", proven_by(broken, name)) for name in TRIED]
        made = [(x, written(p)) for x, p in proofs if p]
        if len(made) - never_false(made) == len(TRIED):
            unnoticed.append(label)
    assert not unnoticed


def test_without_a_mistake_the_prover_made_anew_is_confirmed(monkeypatch):
    with monkeypatch.context() as context:
        prover = with_mistake(context, "blocks", ())
        proofs = [proven_by(prover, name) for name in TRIED]
    assert all(proof is not None and verify(proof) for proof in proofs)


# --- What was once not as it should be -------------------------------------------


def in_more_dimensions(more):
    """Return a saddle's proof, a risk of as many teachers in more dimensions, W and its index.

    Each dimension beyond the teachers adds the eigenvalues of M (`pairs.padding`).
    """
    proof = prove(*BASES["saddle, down along the fixed space"])
    teacher = np.eye(proof.k, proof.k + more)
    W = proof.point @ teacher
    spectrum = np.linalg.eigvalsh(curvature(Risk(teacher, np.ones(3), np.ones(3), None), W)[0])
    assert np.min(np.abs(spectrum)) > 1e-3
    return proof, make_risk(teacher), W, int(np.sum(spectrum < 0))


def test_each_dimension_beyond_the_teachers_adds_negative_eigenvalues():
    assert [in_more_dimensions(more)[-1] for more in (0, 1, 3)] == [2, 3, 5]


@pytest.mark.parametrize("more", [1, 3])
def test_a_saddle_of_fewer_teachers_than_dimensions_is_proven_with_its_index(more):
    *_, risk, W, index = in_more_dimensions(more)
    found = prove_critical_point(risk, W)
    assert not found or found.index == index


@pytest.mark.parametrize("more", [1, 3])
def test_a_saddle_is_not_confirmed_of_a_risk_in_more_dimensions(more):
    proof, risk, *_ = in_more_dimensions(more)
    assert not verify(proof, risk)


def test_negative_units_are_refused_by_the_checker_by_itself():
    """With u < 0 relu(ux) is not u relu(x): the point is not critical, its weights being −1."""
    teacher = TEACHER[:2, :2]
    proof = prove_minimum(make_risk(teacher), teacher)
    found = written(proof)
    minus = {name: hexed(-np.ones(2)) for name in ("units", "student_weights")}
    forged = found | minus | {"point": hexed(-teacher), "kind": "minimum", "value_upper": 1.0}
    forged |= {"min_eigenvalue_lower": found["min_eigenvalue_lower"] / 2}
    risk = Risk(teacher, np.ones(2), -np.ones(2), np.arange(4).reshape(2, 2))
    slopes = exact_slopes(risk, [mpf(x) for x in -teacher.ravel()])
    assert max(map(abs, slopes)) > 0.1
    assert confirmed(forged) == (False, False)


@pytest.mark.parametrize("change", [None, [], 3, "word", {"kind": "saddle"}, {"seconds": "deep"}])
def test_the_checker_by_itself_refuses_whatever_is_no_certificate(change):
    found: Any = base("spurious, one flipped, k = 6")
    if isinstance(change, dict):
        found = found | change
        if "seconds" in change:
            for _ in range(2000):
                found["seconds"] = [found["seconds"]]
    else:
        found = change
    with working_precision(256), pytest.raises(ALONE.Refused):
        ALONE.check(found)


def test_the_point_of_an_exhibited_minimum_is_that_of_its_shares():
    forged = dense("exhibited") | {"point": hexed(np.full((4, 2), 7.0))}
    assert confirmed(forged) == (False, False)


@pytest.mark.parametrize(
    ("blocks", "teachers", "values"),
    [
        ([1, 1], [1], [[0.5, 0.5, 0]]),
        ([2], [1], [[0.5, 0]]),
        ([2, 1], [2], [[1, 0, 0]]),
    ],
)
def test_shared_teachers_are_exhibited_and_not_proven_by_symmetry(blocks, teachers, values):
    """The checker of symmetric certificates takes a global minimum of one student a teacher."""
    outcome = prove_symmetric(blocks, teachers, np.array(values, float))
    assert not outcome


@pytest.mark.parametrize(
    ("teacher", "point"),
    [
        ([[1.0, 0.5], [-2.0, -1.0]], [[0.7716, -0.5094]]),
        ([[0.0, 1.0], [-1.0, 0.0]], [[-1.0683, 1.0683], [0.0683, -0.0683]]),
    ],
)
def test_saddles_with_opposite_neurons_are_confirmed(teacher, point):
    proof = prove_critical_point(make_risk(np.array(teacher)), np.array(point), max_move=0.5)
    assert isinstance(proof, PointCertificate)
    assert proof.kind == "saddle"
    assert verify(proof), verify(proof).reason


def test_certificates_too_large_to_check_are_refused_at_once(monkeypatch):
    """The Hessian of 18,000 rows would take days, and more memory than there is."""

    def days(_):
        raise AssertionError("the check was begun.")

    monkeypatch.setattr(verification, "check", days)
    tall = np.ones((3000, 6))
    claim = PointCertificate(
        kind="saddle", index=1, point=tall, given=tall, witness=tall, teacher=np.eye(6),
        teacher_weights=np.ones(6), student_weights=np.ones(3000), value_lower=0.0,
        value_upper=1.0, min_eigenvalue_lower=-1.0, radius=1.0, moved=0.0,
    )  # fmt: skip
    assert not verify(claim)


# --- What only the reader refuses, and the number of cases ----------------------------------------


def test_fields_that_only_the_reader_refuses():
    """The checker by itself reads numbers and no head; what it confirms is what they say."""
    found = base("saddle, three in one block")
    values = [[0.0 + float.fromhex(x) for x in row] for row in found["values"]]
    same = [
        {name: entry}
        for name in UNREAD
        for entry in (None, True, 3, "word", [], {"a": 1}, np.nan)
        if (name, entry) not in (("statement", "word"), ("seconds", 3))
    ]
    same += [{"extra": 1}, {"index": True}, {"n": 3.0}, {"radius": np.inf}]
    same += [{"values": values}, {"values": [[f"{x.hex()}" + " " for x in values[0]]]}]
    same += [{"witness": [*found["witness"], "0x0.0p+0"]}]
    for change in same:
        held, alone = confirmed(found | change)
        assert (held, alone) in ((None, True), (False, True)), change
    for name in UNREAD:
        fewer = {key: entry for key, entry in found.items() if key != name}
        assert confirmed(fewer) == (None, True)
    assert confirmed(found | {"statement": "Every minimum is global."}) == (True, True)


def test_a_sentence_that_its_numbers_do_not_say_is_refused(tmp_path):
    for name, forged in (("one", {"statement": ""}), ("two", {"index": 2}), ("three", {})):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(base("saddle, three in one block") | forged))
        assert verify(path).holds == (name == "three")


def test_there_are_more_than_two_thousand_cases():
    listed = [forgeries(name) for name in BASES] + [forgeries(name, (of_types,)) for name in TYPED]
    listed += [forged_in_pairs(), points_beside(), degenerate(), forged_dense(), forged_minima()]
    for cases in (in_smaller_blocks, near_a_crossing, near_a_fold, near_the_wide_crossing):
        listed += cases()
    mistakes = len(TRIED) * sum(map(len, MISTAKES.values()))
    assert sum(map(len, listed)) >= 2000
    assert mistakes >= 300

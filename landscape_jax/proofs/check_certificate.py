# fmt: off
# pyright: reportArgumentType=false, reportPossiblyUnboundVariable=false
"""Check certificates of critical points of a population risk from their files alone.

`python check_certificate.py CERTIFICATE.json ...` needs python-flint (arithmetic with proven
rounding), and nothing of ours.  The risk is F(W) = 1/2 E(sum_i a_i relu(w_i.x) - sum_j b_j
relu(v_j.x))^2, x ~ N(0, I): with neurons u = (w, v) and weights c = (a, -b), 1/2 sum_pq c_p c_q
f(u_p, u_q).  With t the angle of w and v, w' = w/|w|, m = v' - cos t w', f(w, v) = |w||v|(sin t +
(pi - t) cos t)/2 pi, f(w, w) = |w|^2/2, and
    df/dw     = (|v| sin t w' + (pi - t) v)/2 pi                                               (1)
    d2f/dw2   = |v|/(2 pi |w|) (sin t (I - w'w'^T) + m m^T/sin t),  |m m^T/sin t| = sin t      (2)
    d2f/dwdv  = ((pi - t) I + R)/2 pi,  R = (w'v'^T + v'w'^T - cos t (w'w'^T + v'v'^T))/sin t  (3)
and |R| = sin t.  Krawczyk's test shows a critical point in a box, the Hessian is enclosed over it.
*Symmetric certificates* are of orthonormal teachers and a point that a group G fixes: it permutes
each block of students and of teachers, blocks of one number and size together.  The gradient is in
the space V(G) of such points, so a critical point of F there is one of F.  The Hessian commutes
with G: on an irreducible representation r it is a matrix A(r), repeated dim r times; for H < G,
V(H) holds A(r) dim r^H times.  By Young's rule, H with parts of a block p in place of p,
    p: trivial;  1, p-1: + standard;  2, p-2: + (p-2, 2);  1, 1, p-2: + standard + (p-2, 1, 1),
so negative eigenvalues on V(H) give those of each A(r), and neg = sum_r dim r neg A(r).  The sum
of dim r times the size of A(r) must be n k: no representation is left out.  *Others* are checked by
the whole matrix: that x* exists within `radius`, its index, eigenvalues, value and kind; of strict
minima not `uniqueness_radius`, `lipschitz_upper`, other dimensions, `moved`, and digests.
"""
import json
import sys
from functools import partial

from flint import arb, arb_mat, ctx, fmpq

T, zip = arb_mat.transpose, partial(zip, strict=True)  # Lists that belong together are as long.
class Refused(Exception):  # noqa: N818
    """A claim that is not confirmed, and why."""
def need(condition, reason):
    """Refuse unless a condition is proven; a comparison of balls that may fail is false."""
    if not condition:
        raise Refused(reason)
class Space:
    """F = sum of c f(p, q) over `terms` (c, p, q), along `size` directions of W.  A neuron is a
    row, the numbers of the directions that move it, and a matrix of how."""
    def __init__(self, size):
        self.size, self.neurons, self.terms = size, [], []
    def add(self, row, moves=(), steps=()):
        """Add a neuron; return its number."""
        self.neurons.append((arb_mat([row]), list(moves), arb_mat(steps) if steps else None))
        return len(self.neurons) - 1
    def pairs(self):
        """Yield c/2 pi, p, q, |w|, |v|, w', v', cos t, sin t, pi - t, by |w' - v'| = 2 sin t/2."""
        for c, p, q in self.terms:
            (w, r), (v, s) = ((x / norm(x.entries()), norm(x.entries()))
                              for x in (self.neurons[p][0], self.neurons[q][0]))
            apart, along = norm((w - v).entries()), norm((w + v).entries())
            cos, sin, rest = (w * T(v))[0, 0], apart * along / 2, 2 * arb.atan2(along, apart)
            yield c / (2 * arb.pi()), p, q, r, s, w, v, cos, sin, rest
    def value(self):
        """Enclose F."""
        return sum((c * r * s * (sin + rest * cos)
                    for c, _, _, r, s, _, _, cos, sin, rest in self.pairs()), arb(0))
    def derivatives(self):
        """Enclose gradient and Hessian along the directions, by (1) to (3)."""
        gradient, hessian = [arb(0)] * self.size, [[arb(0)] * self.size for _ in range(self.size)]
        def put(rows, columns, block):
            for i, u in enumerate(rows):
                for j, v in enumerate(columns):
                    hessian[u][v] += block[i, j]
        for c, p, q, *sides, cos, sin, rest in self.pairs():
            found, (norm_p, norm_q, *units) = {}, sides
            for one, r, s, w, v in (p, norm_p, norm_q, *units), (q, norm_q, norm_p, *units[::-1]):
                _, moves, e = self.neurons[one]
                if moves:
                    slope, ew, ev = e * T(w * sin + v * rest) * (c * s), e * T(w), e * T(v)
                    for i, u in enumerate(moves):
                        gradient[u] += slope[i, 0]
                    m, found[one] = ev - ew * cos, (moves, e, ew, ev)
                    block = (e * T(e) - ew * T(ew)) * sin + over(m * T(m), sin)
                    put(moves, moves, block * (c * s / r))
            if p in found and q in found:
                (moves, e, ew, ev), (others, h, hv, hw) = found[p], found[q]
                plane = ew * T(hv) + ev * T(hw) - (ew * T(hw) + ev * T(hv)) * cos
                block = (e * T(h) * rest + over(plane, sin)) * c
                put(moves, others, block)
                put(others, moves, T(block))
        return arb_mat(self.size, 1, gradient), arb_mat(hessian)
def norm(entries):
    """The Euclidean norm."""
    return sum((x * x for x in entries), arb(0)).nonnegative_part().sqrt()
def over(matrix, sin):
    """Divide by sin t.  Where it may be 0, no entry exceeds the norms (2), (3): steps are units."""
    flat = [arb(0, sin.upper())] * (matrix.nrows() * matrix.ncols())
    return matrix / sin if sin > arb(2) ** -40 else arb_mat(matrix.nrows(), matrix.ncols(), flat)
def less(matrix, number):
    """Subtract a multiple of the identity."""
    n = matrix.nrows()
    return matrix - arb_mat(n, n, [number * (i % (n + 1) == 0) for i in range(n * n)])
def negative(matrix):
    """Count negative eigenvalues: those of [[A, B], [B^T, C]] are A's and (C - B^T A^-1 B)'s."""
    rows, half = matrix.tolist(), matrix.nrows() // 2
    if half == 0:
        need(matrix[0, 0] < 0 or matrix[0, 0] > 0, "an eigenvalue is not proven to be not 0.")
        return int(matrix[0, 0] < 0)
    a, b = arb_mat([x[:half] for x in rows[:half]]), arb_mat([x[half:] for x in rows[:half]])
    rest = arb_mat([x[half:] for x in rows[half:]]) - T(b) * a.solve(b)
    return negative(a) + negative((rest + T(rest)) / 2)
def inertia(claim, hessian):
    """Count the negative eigenvalues of a matrix with none below the claimed bound."""
    need(negative(less(hessian, claim["min_eigenvalue_lower"])) == 0, "an eigenvalue may be lower.")
    return negative(hessian)
class Parts:
    """The blocks of a certificate, teacher block g and what is matched to it cut into `cuts[g]`.
    Unknown (r, c) is the coordinate of a student of part r along a teacher of part c: its own one,
    if students of r have one each there, and then (r, None) is that along the other ones."""
    def __init__(self, claim, cuts):
        sizes, groups = claim["blocks"], claim["teacher_blocks"]
        self.a, self.b = claim["student_weights"], claim["teacher_weights"]
        self.matched = [i < len(groups) and p == groups[i] for i, p in enumerate(sizes)]
        parts = [list(enumerate(cuts.get(g) or [q])) for g, q in enumerate(groups)]
        need([sum(s for _, s in x) for x in parts] == list(groups), "a cut does not fit.")
        self.columns = [(j, t, s) for j, x in enumerate(parts) for t, s in x]
        self.rows = [(i, t, s) for i, p in enumerate(sizes)
                     for t, s in (parts[i] if self.matched[i] else [(0, p)])]
        own = lambda i, t, s: self.columns.index((i, t, s)) if self.matched[i] and s > 1 else None
        self.own = [own(*x) for x in self.rows]
        numbers, parted = range(len(self.columns)), enumerate(self.own)
        self.unknowns = [(r, c) for r in range(len(self.own)) for c in numbers]
        self.unknowns += [(r, None) for r, c in parted if c is not None]
    def count(self, r, c):
        """How many entries of W are this unknown."""
        p = self.rows[r][2]
        return p * (p - 1) if c is None else p if c == self.own[r] else p * self.columns[c][2]
    def coarse(self, r, c):
        """The unknown of the uncut blocks to which this one is equal at a point that G fixes."""
        (i, t, _), (j, s, _) = self.rows[r], self.columns[self.own[r] if c is None else c]
        return (i, None) if self.matched[i] and j == i and (s != t or c is None) else (i, j)
    def space(self, point):
        """F along orthonormal directions of V(H).  Coordinates are the first, the second and all
        other teachers of a part, multiplied by the root of how many: inner products are sums."""
        pieces = [(c, s, arb(w).sqrt()) for c, (_, _, q) in enumerate(self.columns)
                  for s, w in enumerate((1, 1, q - 2)) if min(w, q - s) > 0]
        space, counts = Space(len(self.unknowns)), [self.count(*u) for u in self.unknowns]
        teacher = lambda c, s: space.add([arb((c, s) == x[:2]) for x in pieces])
        def student(r, which):
            moves = [u for u, (row, _) in enumerate(self.unknowns) if row == r]
            row, steps = [arb(0)] * len(pieces), [[arb(0)] * len(pieces) for _ in moves]
            for x, (c, s, root) in enumerate(pieces):
                u = self.unknowns.index((r, None if c == self.own[r] and s != which else c))
                row[x], steps[moves.index(u)][x] = point[u] * root, root / arb(counts[u]).sqrt()
            return space.add(row, moves, steps)
        first = [student(r, 0) for r in range(len(self.rows))]
        axis = [teacher(c, 0) for c in range(len(self.columns))]
        for r, (i, _, p) in enumerate(self.rows):
            a, add = self.a[i], lambda c, q, r=r: space.terms.append((c, first[r], q))
            add(a * a * p / 2, first[r])
            if p > 1:
                need(self.own[r] is not None, "equal students make the Hessian singular.")
                add(a * a * p * (p - 1) / 2, student(r, 1))
                add(-a * self.b[i] * p * (p - 1), teacher(self.own[r], 1))
            for h in range(r):
                add(a * self.a[self.rows[h][0]] * p * self.rows[h][2], first[h])
            for c, (j, _, _) in enumerate(self.columns):
                add(-a * self.b[j] * self.count(r, c), axis[c])
        for c, (j, _, q) in enumerate(self.columns):  # The teacher's own part of F.
            own = [(q / arb(2), axis[c], axis[c]), (q * (q - 1) / arb(2), axis[c], teacher(c, 1))]
            space.terms += [(x * self.b[j] ** 2, y, z) for x, y, z in own[: min(q, 2)]]
            space.terms += [(q * p * self.b[j] * self.b[i], axis[c], axis[h])
                            for h, (i, _, p) in enumerate(self.columns[:c])]
        return space
def enclose(space_at, x, counts, steps):
    """Return a box with a critical point, by Krawczyk's test, |x* - x|, and the Hessian over it.
    The box is around the end of some Newton steps; `counts` is how often W has each unknown."""
    roots, given, step = [arb(c).sqrt() for c in counts], x, arb_mat([[0]] * len(x))
    for _ in range(steps + 1):
        x = [(p - s / r).mid() for p, s, r in zip(x, step.entries(), roots)]
        gradient, hessian = space_at(x).derivatives()
        inverse = hessian.mid().inv().mid()
        step = inverse * gradient
    width = max((2 * abs(s)).upper() for s in step.entries()) + arb(2) ** -200
    box = [p + arb(0, width) / r for p, r in zip(x, roots)]
    hessian = space_at(box).derivatives()[1]
    image = less(inverse * hessian, 1) * arb_mat([[arb(0, width)]] * len(x)) + step
    need(all(abs(s) < width for s in image.entries()), "no critical point is proven to be there.")
    return box, norm((p - q) * r for p, q, r in zip(box, given, roots)), hessian
def index_by_groups(claim, box):
    """Count the Hessian's negative eigenvalues, by a plan of representations: the dimension, the
    cuts of whose V(H) it is the new part, and the old parts."""
    whole, sizes = Parts(claim, {}), claim["teacher_blocks"]
    groups = [g for g, q in enumerate(sizes) if q > 1]
    both = [g for g in groups if g < len(whole.matched) and whole.matched[g]]
    plan: dict = {(): (1, {}, [])}
    for g in groups:
        p = sizes[g]
        plan[g] = p - 1, {g: [1, p - 1]}, [()]
        if g in both and p > 3:
            plan[g, 2] = p * (p - 3) // 2, {g: [2, p - 2]}, [(), g]
        if g in both and p > 2:
            old = [(), g, g] + [(g, 2)] * (p > 3)
            plan[g, 1, 1] = (p - 1) * (p - 2) // 2, {g: [1, 1, p - 2]}, old
        for h in [h for h in groups if h < g and (g in both or h in both)]:
            cuts = {g: [1, p - 1], h: [1, sizes[h] - 1]}
            plan[g, "x", h] = (p - 1) * (sizes[h] - 1), cuts, [(), g, h]
    found = {}
    for name, (_, cuts, old) in plan.items():
        blocks = Parts(claim, cuts)
        point = [box[whole.unknowns.index(blocks.coarse(*u))] for u in blocks.unknowns]
        counts = inertia(claim, blocks.space(point).derivatives()[1]), len(point)
        found[name] = [x - sum(found[o][i] for o in old) for i, x in enumerate(counts)]
    low, size = (sum(plan[x][0] * found[x][i] for x in plan) for i in (0, 1))
    need(size == claim["n"] * claim["k"], "the representations do not fill the space.")
    return low
def compare(claim, reach, value, index, lower):
    """Compare the claims with what is proven; `lower`, whether a value elsewhere is lower."""
    kind, low, high = claim["kind"], claim["value_lower"], claim["value_upper"]
    need(reach <= claim["radius"], "the critical point is not proven as near as claimed.")
    need((low <= 0 or value >= low) and value <= high, "the value is not proven to be as claimed.")
    need([index, kind == "saddle"] == [claim["index"], index > 0], "the index is another one.")
    need(kind in ("global", "minimum") or (low > 0 and lower), "no lower value is known.")
def check_symmetric(claim):
    """Check a symmetric certificate: x(r, c) is values[c][r], x(r, None) is values[r][-1]."""
    sizes, groups, a, b, values, kind = (claim[x] for x in (
        "blocks", "teacher_blocks", "student_weights", "teacher_weights", "values", "kind"))
    need(all(type(p) is int and p > 0 for p in [*sizes, *groups]), "a block is no count.")
    need([claim["n"], claim["k"]] == [sum(sizes), sum(groups)], "its sizes do not fit.")
    blocks = Parts(claim, {})
    x = [values[r][-1] if c is None else values[c][r] for r, c in blocks.unknowns]
    if kind == "global":  # Each student is b/a > 0 times its own teacher, exactly.
        met = all(t > 0 and a[r] * t == b[r] if r == c else t == 0
                  for (r, c), t in zip(blocks.unknowns, x))
        need(met and sizes == groups and claim["min_eigenvalue_lower"] <= 0, "more is not shown.")
        return compare(claim, arb(0), arb(0), 0, True)
    box, reach, _ = enclose(blocks.space, x, [blocks.count(*u) for u in blocks.unknowns], 3)
    count = lambda c, p, s: sum(q for w, q in zip(c, p) if s * w > 0)
    lower = all(count(a, sizes, s) >= count(b, groups, s) for s in (1, -1))  # Zero is attained.
    if kind == "saddle":
        fine = Parts(claim, {int(g): parts for g, parts in claim["witness_cuts"].items()})
        lower = fine.space(claim["witness"]).value() < claim["value_lower"]
    return compare(claim, reach, blocks.space(box).value(), index_by_groups(claim, box), lower)
def check_dense(claim):
    """Check a certificate that holds W and the teacher; neurons are scaled by its `units`."""
    units, d = claim.get("units") or [arb(1)] * len(claim["point"]), len(claim["teacher"][0])
    need(all(u > 0 for u in units), "its units are not positive.")
    flat = lambda rows: [x * u for w, u in zip(rows, units) for x in w]
    a, b = claim["student_weights"], claim["teacher_weights"]
    c = [x / u for x, u in zip(a, units)] + [-x for x in b]
    def space_at(entries):
        space = Space(len(entries))
        for i in range(len(units)):
            places = range(i * d, i * d + d)
            unit = [[arb(p == q) for q in places] for p in places]
            space.add([entries[p] for p in places], places, unit)
        for v in claim["teacher"]:
            space.add(v)
        space.terms = [(c[i] * c[j] / (1 + (i == j)), i, j)
                       for i in range(len(c)) for j in range(i + 1)]
        return space
    box, reach, hessian = enclose(space_at, flat(claim["point"]), [1] * (len(units) * d), 2)
    rows, value = claim["witness"], space_at(box).value()
    lower = rows and space_at(flat(rows)).value() < claim["value_lower"]
    if claim["kind"] == "global":  # The teacher itself, in some order, is the point in the box.
        at = lambda i, j: all(y.contains(x * -c[len(units) + j] / c[i]) for x, y in zip(
            claim["teacher"][j], box[i * d : i * d + d])) and c[i] * c[len(units) + j] < 0
        near = [[j for j in range(len(claim["teacher"])) if at(i, j)] for i in range(len(units))]
        need(sorted(near) == [[j] for j in range(len(claim["teacher"]))], "it is not the teacher.")
        value = arb(0)
    compare(claim, reach, value, inertia(claim, hessian), lower)
def check_shares(claim):
    """Check a point of value 0: students s_i v_j, s_i >= 0, with sum of a_i s_i = b_j, exactly."""
    exact = lambda x: fmpq(*float(x).as_integer_ratio())
    shares = [fmpq(*map(int, s.split("/"))) for s in claim["shares"]]
    along, teacher = claim["assignment"], claim["teacher"]
    sums = [-exact(b) for b in claim["teacher_weights"]] + [fmpq(0)]
    for a, s, j in zip(claim["student_weights"], shares, along):
        sums[j] += exact(a) * s * (j >= 0)
    need(all(s >= 0 for s in shares) and not any(sums), "a teacher is not met exactly.")
    gap = lambda rows: norm(x - arb(s) * v * (j >= 0) for w, s, j in zip(rows, shares, along)
                            for x, v in zip(w, teacher[j]))
    near = gap(claim["point"]) <= norm(x for w in claim["point"] for x in w) / 2**50
    need(near and gap(claim["given"]) <= claim["moved"], "the point is not as near as claimed.")
    need(claim["min_eigenvalue_lower"] <= 0 and claim["kind"] == "global", "more is not shown.")
    compare(claim, arb(0), arb(0), 0, True)
def read(x):
    """Read numbers exactly: floats as JSON has them, the nearest, and hexadecimal ones."""
    x = float.fromhex(x) if isinstance(x, str) and "0x" in x[:3] else x
    return [read(y) for y in x] if isinstance(x, list) else arb(x) if isinstance(x, float) else x
def check(found):
    """Raise `Refused` if the certificate, a JSON object, is not confirmed."""
    try:
        with ctx.workprec(256):
            claim = {name: read(raw) for name, raw in found.items()}
            dense = check_shares if claim.get("shares") else check_dense
            (check_symmetric if "blocks" in claim else dense)(claim)
    except Exception as error:
        raise error if isinstance(error, Refused) else Refused(f"unusable: {error!r}.") from None
if __name__ == "__main__":
    bad = False
    for path in sys.argv[1:]:
        try:
            check(json.loads(open(path, encoding="utf-8").read()))
            print(f"holds: {path}")
        except (Refused, OSError, ValueError) as error:
            bad = print(f"does not hold: {path}: {error}") is None
    sys.exit(bad)

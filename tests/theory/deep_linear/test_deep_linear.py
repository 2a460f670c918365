"""YSJ19, theorem 4 and corollary 5: what critical points of deep linear networks are."""

from collections import Counter, defaultdict
from fractions import Fraction
from functools import cache
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.networks import criteria
from landscape_jax.theory import LinearTolerances, classify_deep_linear, escape_deep_linear
from landscape_jax.theory.deep_linear.products import read_chain

from .linear import SHAPES, Critical, draw

# Of the proof of part 1: side, layers, case, and the layer that is perturbed last.
CELLS = {
    (side, L, 1 if j in (1, L) else 2, j)
    for side, L in SHAPES
    for j in (range(1, L) if side == "d_x < d_y" else range(2, L + 1))
}


@cache
def table(basis: str, keep: int = 1) -> dict[tuple, list[Critical]]:
    """So many saddles for each side, depth, case and j* of the proof."""
    found = defaultdict(list)
    for (side, depth), shapes in SHAPES.items():
        cells = [cell for cell in CELLS if cell[:2] == (side, depth)]
        for seed in range(100 * keep):
            drawn = draw(shapes[seed % len(shapes)], seed, basis=basis)
            if not drawn.slope.any():
                continue
            point = classify_deep_linear(drawn.squared(), drawn.network)
            assert (point.kind, point.part) == ("saddle", "1")
            cell = (side, depth, point.case, point.j_star)
            if len(found[cell]) < keep:
                found[cell].append(drawn)
            if min(len(found[cell]) for cell in cells) == keep:
                break
    return found


def test_every_case_of_the_proof_is_reached():
    for basis in ("integer", "orthogonal"):
        assert set(table(basis)) == CELLS


def exact_risk(risk: lj.EmpiricalRisk, network: lj.DeepLinear) -> Fraction:
    """The squared loss in rational arithmetic, sample by sample."""
    q = _fractions(risk.x).T
    for weight in network.weights:
        q = _fractions(weight) @ q
    return ((q.T - _fractions(risk.y)) ** 2).sum() / len(risk.x)


def _fractions(matrix) -> np.ndarray:
    return np.vectorize(Fraction, otypes=[object])(np.asarray(matrix))


def _distances(one: lj.DeepLinear, other: lj.DeepLinear) -> list[float]:
    pairs = zip(one.weights, other.weights, strict=True)
    return [float(jnp.linalg.norm(a - b)) for a, b in pairs]


@pytest.mark.parametrize("keep", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("epsilon", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("basis", ["integer", "orthogonal"])
def test_from_each_saddle_the_tuples_go_strictly_up_and_down(basis, epsilon, keep):
    assert set(table(basis, keep)) == CELLS
    for (_, depth, *_), saddles in table(basis, keep).items():
        assert len(saddles) == keep
        if basis == "orthogonal" and epsilon**depth < 1e-21:
            # The rounding of the weights may do as much.
            continue
        for saddle in saddles:
            risk, network = saddle.squared(), saddle.network
            found = escape_deep_linear(risk, network, epsilon=epsilon)
            start = exact_risk(risk, network)
            up, down = exact_risk(risk, found.up), exact_risk(risk, found.down)
            assert up > start > down
            assert (found.rise, found.fall) == (float(up - start), float(down - start))
            assert found.shown
            assert found.exact
            # Where the basis is not exact the point is critical to rounding only.
            assert found.beyond_leftover
            for end in (found.up, found.down):
                assert max(_distances(end, network)) <= epsilon


def test_a_saddle_where_the_direction_of_the_proof_is_lost_in_rounding_is_left_all_the_same():
    drawn = draw((4, 4, 6, 5, 5), 23, basis="orthogonal")
    saddle = Critical([7 * weight for weight in drawn.weights], drawn.slope)
    found = escape_deep_linear(saddle.squared(), saddle.network, epsilon=1e-5)
    assert found.shown
    assert -found.fall > 1e-15


def test_a_saddle_without_hessian_is_left_by_the_order_of_its_depth():
    x = jnp.eye(3)
    y = jnp.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    for depth in (3, 4):
        shape = (3, *[2] * depth)
        origin = lj.DeepLinear([jnp.zeros((b, a)) for a, b in pairwise(shape)])
        risk = lj.EmpiricalRisk(x, y)
        if depth == 3:
            assert not np.any(lj.hessian(risk, origin))
        point = classify_deep_linear(risk, origin)
        assert (point.kind, point.case, point.j_star, point.gradient_norm) == ("saddle", 2, 2, 0)
        for epsilon in (1e-1, 1e-3, 1e-5):
            found = escape_deep_linear(risk, origin, epsilon=epsilon)
            assert found.shown
            # ‖G‖ = 4/3.
            assert 0.9 < -found.fall / (4 / 3 * epsilon**depth) < 1
            assert found.leftover == 0


def test_near_the_origin_ranks_are_no_better_known_than_the_gradient_is_small():
    rng = np.random.default_rng(0)
    risk = lj.EmpiricalRisk(jnp.eye(2), jnp.eye(2))
    near = lj.DeepLinear([1e-6 * rng.standard_normal((2, 2)) for _ in range(3)])
    point = classify_deep_linear(risk, near)
    assert point.kind == "saddle"
    # All matrices are of full rank, but could as well be zero.
    assert point.rank_tolerance > 0.1
    assert point.ranks["W3:2"] < 2
    assert escape_deep_linear(risk, near, epsilon=1e-2).beyond_leftover


@pytest.mark.parametrize("size", [1e-9, 3e-9, 7e-10])
def test_where_the_gradient_is_all_that_is_known_of_a_rank_it_is_not_full(size):
    risk = lj.EmpiricalRisk(jnp.ones((1, 1)), jnp.ones(1))
    network = lj.DeepLinear([jnp.zeros((1, 1)), jnp.full((1, 1), size)])
    point = classify_deep_linear(risk, network)
    assert (point.kind, point.case, point.ranks["W2:2"]) == ("saddle", 1, 0)
    assert escape_deep_linear(risk, network, epsilon=1e-3).beyond_leftover


@pytest.mark.parametrize("basis", ["integer", "orthogonal"])
def test_for_the_squared_loss_every_minimum_is_global_and_all_else_a_saddle(basis):
    seen = set()
    for shape in [(3, 2), (2, 3), *(shapes[0] for shapes in SHAPES.values())]:
        for seed in range(3):
            drawn = draw(shape, seed, steep=False, basis=basis)
            risk = drawn.squared()
            # What is fitted is not all: noise on samples at 0 adds the same to every risk.
            risk = lj.EmpiricalRisk(risk.x, risk.y.at[-1].set(1.0))
            point = classify_deep_linear(risk, drawn.network)
            assert (point.kind, point.part) == ("global minimum", "2(b)")
            best = np.linalg.lstsq(risk.x, risk.y, rcond=None)[0]
            least = np.sum((np.asarray(risk.x @ best) - np.asarray(risk.y)) ** 2) / len(risk.x)
            np.testing.assert_allclose(point.value, least, rtol=1e-12)
            seen.add(point.j_star is None)
    # Minima with and without the ranks of part 3.
    assert seen == {True, False}


def end_points(shape: tuple[int, ...], seeds: range, search: str) -> Counter[str]:
    """Search from a start for each of some random problems, and count what the ends are."""
    kinds = Counter()
    start = lj.starts.network(lj.DeepLinear, shape)
    for seed in seeds:
        rng = np.random.default_rng([seed, *shape])
        x, noise = rng.standard_normal((20, shape[0])), rng.standard_normal((20, shape[-1]))
        y = x @ rng.standard_normal((shape[0], shape[-1])) + 0.3 * noise
        risk, key = lj.EmpiricalRisk(jnp.asarray(x), jnp.asarray(y)), jax.random.key(seed)
        if search == "descent":
            runs = lj.restart(risk, start, 1, key=key, max_steps=5000)
        else:
            # A minimum, and a saddle.
            seek = np.array([2 * (seed % 2)])
            runs = lj.critical_points(risk, start, 1, key=key, seek=seek).runs
        if not runs.is_converged[0]:
            kinds["unfinished"] += 1
            continue
        point = classify_deep_linear(risk, jax.tree.map(lambda leaf: leaf[0], runs.params))
        kinds[point.kind] += 1
        negative = lj.indices(risk, runs.params).negative[0]
        if point.kind == "global minimum":
            assert negative == 0
            residual = x @ np.linalg.lstsq(x, y, rcond=None)[0] - y
            np.testing.assert_allclose(point.value, np.sum(residual**2) / 20, rtol=1e-12)
        else:
            assert point.kind == "saddle"
            # Of two layers the Hessian tells.
            assert negative > 0 or len(shape) > 3
    return kinds


@pytest.mark.slow
def test_no_end_of_a_search_that_is_called_a_minimum_has_a_negative_eigenvalue():
    kinds = end_points((3, 2, 2, 2), range(50), "any index")
    assert kinds["global minimum"] >= 20
    assert kinds["saddle"] >= 20


@pytest.mark.slow
def test_no_end_of_500_problems_that_is_called_a_minimum_has_a_negative_eigenvalue():
    kinds = Counter()
    for shape in [(2, 3, 3), (3, 3, 2, 2), (2, 2, 3, 2, 2)]:
        kinds += end_points(shape, range(110), "any index")
    # Deeper networks stay on plateaus for long.
    for shape in [(2, 3, 3), (3, 3, 2, 2)]:
        kinds += end_points(shape, range(220, 330), "descent")
    assert kinds["global minimum"] >= 300
    assert kinds["saddle"] >= 100
    assert kinds["global minimum"] + kinds["saddle"] >= 500, kinds


def test_for_another_loss_the_kind_is_the_one_declared_and_without_that_local():
    flat = draw((3, 2, 2, 2), 1, steep=False)
    for loss, kind, minima in (
        (flat.log_cosh(), "minimum", "global minima"),
        (lambda R: -flat.log_cosh()(R), "maximum", "global maxima"),
    ):
        point = classify_deep_linear(loss, flat.network)
        assert (point.kind, point.part) == (f"local {kind}", "2(a)")
        point = classify_deep_linear(loss, flat.network, critical_points_are=minima)
        assert (point.kind, point.part) == (f"global {kind}", "2(b)")


def test_a_risk_of_your_own_criterion_needs_the_declaration_too():
    # Labels ±1 at one input: the least risk is at q = 0.
    x, y = jnp.ones((2, 1)), jnp.array([1.0, -1.0])
    network = lj.DeepLinear([jnp.ones((1, 1)), jnp.zeros((1, 1))])
    own = lambda q, y: jnp.sum(jnp.logaddexp(0, -y * q))
    risk = lj.EmpiricalRisk(x, y[:, None], criterion=own)
    assert classify_deep_linear(risk, network).kind == "local minimum"
    declared = classify_deep_linear(risk, network, critical_points_are="global minima")
    assert declared.kind == "global minimum"
    # The product and the second layer are 0; the last layer has full rank behind the first.
    assert declared.j_star == 2
    # The named one is known to be convex, whatever is declared.
    risk = lj.EmpiricalRisk(x, y, criterion="logistic")
    for word in (None, "global minima", "global maxima"):
        point = classify_deep_linear(risk, network, critical_points_are=word)
        assert (point.kind, point.part, point.j_star) == ("global minimum", "2(b)", 2)


CONVEX = {
    "cross_entropy": ("cross_entropy", lambda rng, N: rng.integers(0, 3, N)),
    "distributions": ("cross_entropy", lambda rng, N: rng.dirichlet(np.ones(3), N)),
    "logistic": ("logistic", lambda rng, N: np.sign(rng.normal(size=(N, 3)))),
    "hinge": (criteria.hinge(2), lambda rng, N: np.sign(rng.normal(size=(N, 3)))),
}


@eqx.filter_jit
def second_order(risk, M):
    """The risk of a matrix, its gradient and its Hessian; compiled once for all data."""
    of_entries = lambda v: risk(lj.DeepLinear([v.reshape(M.shape)]))
    v = M.ravel()
    return of_entries(v), jax.grad(of_entries)(v), jax.hessian(of_entries)(v)


def least_of(risk, inputs, outputs):
    """Minimise a convex risk over matrices by Newton steps, halved where the risk rises."""
    M = np.zeros((outputs, inputs))
    value, gradient, hessian = second_order(risk, M)
    for _ in range(30):
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-12)[0].reshape(M.shape)
        while (new := second_order(risk, M + step))[0] > value and np.abs(step).max() > 1e-14:
            step = step / 2
        M, (value, gradient, hessian) = M + step, new
    return M, float(value)


@pytest.mark.parametrize("count", [2, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CONVEX)
def test_of_a_named_convex_criterion_every_critical_point_is_a_global_minimum_or_a_saddle(
    name, count
):
    criterion, labels = CONVEX[name]
    for seed in range(count):
        rng = np.random.default_rng([seed, len(name)])
        x = rng.normal(size=(25, 2)) * 10 ** rng.uniform(-1, 1)
        risk = lj.EmpiricalRisk(jnp.asarray(x), jnp.asarray(labels(rng, 25)), criterion=criterion)
        best, least = least_of(risk, 2, 3)
        A = rng.normal(size=(4, 2))
        network = lj.DeepLinear([jnp.asarray(A), jnp.asarray(best @ np.linalg.pinv(A))])
        point = classify_deep_linear(risk, network)
        assert (point.kind, point.part) == ("global minimum", "2(b)"), point.reason
        np.testing.assert_allclose(point.value, least, rtol=1e-12)
        origin = lj.DeepLinear([jnp.zeros((4, 2)), jnp.zeros((3, 4))])
        assert classify_deep_linear(risk, origin).kind == "saddle"


def test_in_the_region_without_loss_of_the_hinge_all_is_a_global_minimum():
    x, y = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([1.0, -1.0])
    risk = lj.EmpiricalRisk(x, y, criterion=criteria.hinge(3))
    for size in (1.5, 3.0, 1e3):
        network = lj.DeepLinear([size * jnp.eye(2), jnp.array([[1.0, -1.0]])])
        point = classify_deep_linear(risk, network)
        assert (point.value, point.kind, point.part) == (0, "global minimum", "2(b)")


@pytest.mark.parametrize("size", [5.0, 40.0, 1e3, 1e6])
@pytest.mark.parametrize(
    ("criterion", "y"), [("logistic", [1.0, 1.0, -1.0]), ("cross_entropy", [0, 0, 1])]
)
def test_where_the_least_risk_is_not_attained_nothing_is_a_global_minimum(criterion, y, size):
    # Separable; from 40 on gradients round to 0 in the second and underflow in both.
    x = jnp.array([[1.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    risk = lj.EmpiricalRisk(x, jnp.array(y), criterion=criterion)
    outputs = 1 if criterion == "logistic" else 2
    W = jnp.array([[3.0, -1.0], [-3.0, 1.0]])[:outputs] * size
    point = classify_deep_linear(risk, lj.DeepLinear([size * jnp.eye(2), W]))
    assert point.kind == "undecided"


def test_half_separable_data_have_no_global_minimum():
    # At the first input both labels occur, at the second only one: its weight runs off.
    x, y = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), jnp.array([1.0, -1.0, 1.0])
    risk = lj.EmpiricalRisk(x, y, criterion="logistic")
    reasons = {50.0: "neither zero nor clearly nonzero", 1e4: "ℓ₀ may have no minimum"}
    for size, reason in reasons.items():
        network = lj.DeepLinear([jnp.eye(2), jnp.array([[0.0, size]])])
        point = classify_deep_linear(risk, network)
        assert point.kind == "undecided"
        assert reason in point.reason


def test_of_inputs_that_are_all_zero_every_network_is_a_global_minimum():
    risk = lj.EmpiricalRisk(jnp.zeros((3, 2)), jnp.array([0, 1, 2]), criterion="cross_entropy")
    point = classify_deep_linear(risk, lj.DeepLinear([jnp.eye(2), jnp.ones((3, 2))]))
    assert point.kind == "global minimum"


@pytest.mark.parametrize("shape", [(3, 2, 2), (2, 2, 2, 3), (2, 3, 2, 2, 2)])
def test_saddles_of_another_loss_are_left_too_and_what_rounding_hides_is_not_shown(shape):
    saddle = next(
        drawn for seed in range(100) if (drawn := draw(shape, seed, basis="orthogonal")).slope.any()
    )
    loss, network = saddle.log_cosh(), saddle.network
    point = classify_deep_linear(loss, network, critical_points_are="global minima")
    assert (point.kind, point.part) == ("saddle", "1")
    found = escape_deep_linear(loss, network, epsilon=1e-1)
    assert found.shown
    assert not found.exact
    products = [
        read_chain(net).product(len(shape) - 1, 1) for net in (network, found.up, found.down)
    ]
    here, up, down = (float(loss(jnp.asarray(product))) for product in products)
    np.testing.assert_allclose([found.rise, found.fall], [up - here, down - here], rtol=1e-9)
    assert not escape_deep_linear(loss, network, epsilon=1e-9).shown


def _bowl_and_dome(center: np.ndarray):
    """ℓ₀ = ±(R − center)², alternating: a saddle at the center."""
    signs = jnp.asarray((-1.0) ** np.arange(center.size).reshape(center.shape))
    return lambda R: jnp.sum(signs * (R - jnp.asarray(center)) ** 2)


def test_with_part_3_a_saddle_of_the_loss_is_one_of_the_network_and_is_left():
    rng = np.random.default_rng(0)
    for shape in [(3, 2), (2, 2, 3, 2, 3)]:
        weights = [rng.standard_normal((b, a)) for a, b in pairwise(shape)]
        network = lj.DeepLinear(weights)
        loss = _bowl_and_dome(read_chain(network).product(len(weights), 1))
        point = classify_deep_linear(loss, network)
        assert (point.kind, point.part) == ("saddle", "3(a)")
        assert point.j_star is not None
        for epsilon in (1e-1, 1e-3):
            found = escape_deep_linear(loss, network, epsilon=epsilon)
            assert found.shown
            for end in (found.up, found.down):
                assert max(_distances(end, network)) <= epsilon


def test_without_part_3_a_saddle_of_the_loss_says_nothing():
    origin = lj.DeepLinear([jnp.zeros((2, 2))] * 3)
    point = classify_deep_linear(_bowl_and_dome(np.zeros((2, 2))), origin)
    assert (point.kind, point.part, point.j_star) == ("undecided", None, None)
    assert "there is no j* of part 3" in point.reason


def test_a_singular_hessian_of_the_loss_says_nothing():
    network = lj.DeepLinear([jnp.eye(2)])
    point = classify_deep_linear(lambda R: (R[0, 0] - 1) ** 2, network)
    assert point.kind == "undecided"
    assert "the Hessian of ℓ₀ there is singular" in point.reason


def test_a_small_slope_far_from_its_zero_is_not_called_zero():
    # Separable: the risk falls for ever.
    risk = lj.EmpiricalRisk(jnp.ones((1, 1)), jnp.ones(1), criterion="logistic")
    network = lj.DeepLinear([jnp.full((1, 1), 5.0), jnp.full((1, 1), 5.0)])
    point = classify_deep_linear(risk, network, critical_points_are="global minima")
    assert point.slope_norm < point.slope_bound
    assert point.kind == "undecided"
    assert "continue the descent to its limit" in point.reason


def test_a_slope_that_ranks_say_must_vanish_is_what_is_left_to_descend():
    # σ = 1e-4 in both layers where the product misses its target by 1e-5.
    layer = jnp.diag(jnp.array([1.0, 1e-4]))
    target = jnp.diag(jnp.array([1.0, 1e-8 + 1e-5]))
    point = classify_deep_linear(
        lj.EmpiricalRisk(jnp.eye(2), target), lj.DeepLinear([layer, layer])
    )
    assert point.slope_norm > point.slope_bound
    assert point.kind == "undecided"
    assert point.j_star is not None


def test_without_labels_the_rounding_of_the_product_is_no_slope():
    # Y = 0, and a product that is 0 up to rounding: the slope has no other scale.
    Q = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    network = lj.DeepLinear([np.outer(Q[0], Q[1]), np.outer(Q[2], Q[1])])
    risk = lj.EmpiricalRisk(jnp.eye(3), jnp.zeros((3, 3)))
    point = classify_deep_linear(risk, network)
    assert point.slope_norm > 0
    assert point.kind == "global minimum"


def test_units_of_the_layers_do_not_change_ranks():
    saddle = table("orthogonal")["d_x > d_y", 4, 2, 3][0]
    plain = classify_deep_linear(saddle.squared(), saddle.network)
    scaled = Critical(
        [w * s for w, s in zip(saddle.weights, (1e4, 1e-4, 10, 0.1), strict=True)], saddle.slope
    )
    point = classify_deep_linear(scaled.squared(), scaled.network)
    assert (point.kind, point.case, point.j_star, point.ranks) == (
        "saddle", plain.case, plain.j_star, plain.ranks,
    )  # fmt: skip


def test_single_precision_weights_are_taken_as_they_are():
    saddle = table("integer")["d_x > d_y", 3, 2, 2][0]
    single = lj.DeepLinear([jnp.asarray(weight, jnp.float32) for weight in saddle.weights])
    assert classify_deep_linear(saddle.squared(), single).kind == "saddle"


NETWORK = lj.DeepLinear([jnp.zeros((2, 2)), jnp.zeros((2, 2))])


def _sum_of_squares(R):
    return jnp.sum((R - 1) ** 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": lj.DeepLinear([jnp.eye(2)] * 2)}, r"not critical: ‖∇ℓ‖ is 4.0e\+00, above"),
        (
            {"network": lj.DeepLinear([jnp.zeros((1, 2)), jnp.zeros((2, 1))])},
            r"hidden layer 1 has width 1; the theorem requires at least min\(inputs, outputs\) = 2",
        ),
        ({"network": lj.DeepLinear([jnp.full((1, 1), jnp.nan)])}, "weights that are not finite"),
        ({"loss": lambda R: R[0]}, r"loss returns shape \(2,\); it must return a scalar"),
        ({"loss": lambda R: 1 / jnp.sum(R)}, "not finite at the product"),
        ({"critical_points_are": "good"}, "'good'; give one of global minima, global maxima"),
        ({"tolerances": LinearTolerances(rank=0.0)}, "rank is 0.0; it must be between 0 and 1"),
        ({"tolerances": LinearTolerances(slope=2.0)}, "tolerances.slope is 2.0"),
        ({"tolerances": LinearTolerances(gradient=np.nan)}, "tolerances.gradient is nan"),
    ],
)  # fmt: skip
def test_what_cannot_be_classified_is_refused(change, message):
    arguments = {"loss": _sum_of_squares, "network": NETWORK, **change}
    with pytest.raises(ValueError, match=message):
        classify_deep_linear(arguments.pop("loss"), arguments.pop("network"), **arguments)


def test_other_networks_are_refused():
    with pytest.raises(TypeError, match="network is a Mlp; give a DeepLinear"):
        read_chain(lj.Mlp([jnp.eye(2)]))


def test_float64_must_be_switched_on():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'jax.config.update\("jax_enable_x64", True\)'),
    ):
        classify_deep_linear(_sum_of_squares, NETWORK)


def test_only_saddles_are_left_and_only_for_a_positive_epsilon():
    risk = lj.EmpiricalRisk(jnp.eye(2), jnp.eye(2))
    best = lj.DeepLinear([jnp.eye(2)] * 2)
    with pytest.raises(ValueError, match="the point is not a saddle but global minimum: ∇ℓ₀"):
        escape_deep_linear(risk, best, epsilon=0.1)
    for epsilon in (0, -1.0, np.inf):
        with pytest.raises(ValueError, match=f"epsilon is {epsilon}; it must be a positive"):
            escape_deep_linear(risk, best, epsilon=epsilon)

"""YSJ19, theorem 1: the minimum and the better point on random, rare and real data, exactly."""

import math
from decimal import Decimal
from fractions import Fraction

import jax
import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import landscape_jax as lj
from landscape_jax.critical import lowest_nearby
from landscape_jax.exact import exact_samples
from landscape_jax.theory import RationalNetwork, check_cell, exact_risk, spurious_minimum

from .datasets import CORNERS, SLOPES, XOR, scattered, tied

LINE = np.array([[-1.0], [0.0], [1.0]])
BENT = np.array([1.0, 0.0, 1.0])
# Data sets of (samples, inputs, width), how many, and with which slopes: 170 in all.
CELLS = [
    *(((3, 1, 2), 50, SLOPES[i]) for i in (0, 2)),
    *(((12, 2, 3), 24, SLOPES[i]) for i in (1, 3)),
    *(((60, 5, 10), 10, SLOPES[i]) for i in (1, 2)),
    ((100, 10, 15), 1, SLOPES[0]),
    ((200, 10, 50), 1, SLOPES[3]),
]


def assert_theorem_1(x, y, width, slopes):
    """Check every claim, by numbers that the construction did not give."""
    found = spurious_minimum(x, y, width=width, activation=slopes)
    assert found.minimum is not None
    assert found.better is not None
    risk = found.least_squares_risk
    ones = np.column_stack([x, np.ones(len(x))]).astype(float)
    W = np.linalg.lstsq(ones, y.astype(float), rcond=None)[0]
    np.testing.assert_allclose(float(risk), np.sum((ones @ W - y) ** 2) / 2, rtol=1e-9)
    cell = check_cell(found.exact_minimum, x, y)
    assert cell.proven
    assert cell.least == risk
    assert 0 <= found.minimum_risk - risk <= risk / 10**12
    assert found.better_risk < risk
    for network, exact in ((found.minimum, risk), (found.better, found.better_risk)):
        assert network.W1.shape == (width, x.shape[1])
        assert network.W2.shape == (1, width)
        W1, b1, W2, b2 = map(np.asarray, (network.W1, network.b1, network.W2, network.b2))
        hidden = x.astype(float) @ W1.T + b1
        q = np.where(hidden > 0, slopes[0], slopes[1]) * hidden @ W2[0] + b2
        np.testing.assert_allclose(np.sum((q - y) ** 2) / 2, float(exact), rtol=1e-11)
    return found


def assert_no_perturbation_is_lower(x, y, minimum, risk, seed):
    """Check 10,000 points of the cell in floats, and the lowest of them exactly."""
    radius = check_cell(minimum, x, y).radius
    objective = lj.EmpiricalRisk(x, y)
    near = lowest_nearby(objective, minimum, radius=radius, key=jax.random.key(seed))
    assert near.tried == 10_000
    # A residual has a rounding error of about 1e-15 of the labels, by which its square changes.
    rounding = 1e-14 * math.sqrt(near.value * float(np.mean(np.square(y))))
    assert near.lowest >= near.value - rounding
    moved = [
        np.asarray(after - before)
        for after, before in zip(jax.tree.leaves(near.point), jax.tree.leaves(minimum), strict=True)
    ]
    assert 0 < math.sqrt(sum(np.sum(move**2) for move in moved)) <= radius * (1 + 1e-9)
    assert exact_risk(near.point, x, y) >= risk


@pytest.mark.parametrize("seed", range(20))
def test_minimum_of_theorem_1_has_the_least_squares_risk_and_a_better_point_is_below(seed):
    assert_theorem_1(*scattered(seed))


@pytest.mark.slow
def test_theorem_1_on_500_random_data_sets():
    cases = [assert_theorem_1(*scattered(seed)).case for seed in range(500)]
    assert cases == ["J"] * 500


@pytest.mark.slow
def test_no_perturbation_within_the_cell_is_lower():
    slopes = SLOPES[1]
    for seed in range(20):
        x, y, width, _ = scattered(seed, (20, 3, 4), slopes)
        found = spurious_minimum(x, y, width=width, activation=slopes)
        assert_no_perturbation_is_lower(x, y, found.minimum, found.least_squares_risk, seed)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "count", "slopes"), CELLS)
def test_no_perturbation_within_the_cells_of_170_data_sets_is_lower(shape, count, slopes):
    for seed in range(count):
        x, y, width, _ = scattered(seed, shape, slopes)
        found = spurious_minimum(x, y, width=width, activation=slopes)
        assert_no_perturbation_is_lower(x, y, found.minimum, found.least_squares_risk, seed)


def test_theorem_1_on_the_diabetes_data():
    from sklearn.datasets import load_diabetes

    x, y = map(np.asarray, load_diabetes(return_X_y=True))
    assert x.shape == (442, 10)
    found = assert_theorem_1(x, y, 2, (1.0, 0.0))
    assert found.case == "J"
    # The published least squares: a mean squared error of 2859.69.
    assert round(float(found.least_squares_risk) * 2 / 442, 2) == 2859.7
    assert found.least_squares_risk - found.better_risk > 600


@pytest.mark.slow
def test_no_perturbation_within_the_cell_of_the_diabetes_data_is_lower():
    from sklearn.datasets import load_diabetes

    x, y = map(np.asarray, load_diabetes(return_X_y=True))
    found = spurious_minimum(x, y)
    assert_no_perturbation_is_lower(x, y, found.minimum, found.least_squares_risk, 0)


@pytest.mark.parametrize("slopes", SLOPES)
def test_where_j_is_empty_the_turned_line_is_better(slopes):
    for seed in range(10):
        x, y = tied(seed)
        assert assert_theorem_1(x, y, 2 + seed % 3, slopes).case == "J empty"
    assert assert_theorem_1(CORNERS, XOR, 2, slopes).case == "J empty"
    assert assert_theorem_1(LINE, BENT, 2, slopes).case == "J empty"


def test_where_all_predictions_are_equal_the_best_turn_is_taken():
    # On x = −1, 0, 1 no cap holds: the exact quadratic ½ Σ (e + αc)² is minimised.  With x₁ = −1,
    # x₂ = 0: e = (−⅓, ⅔, −⅓), v = −1, h = ¼, c = (−1 + ¼, −¼, 1 − ¼), Σec = −⅙, Σc² = 19/16.
    found = spurious_minimum(LINE, BENT)
    assert abs(found.better_risk - (fmpq(1, 3) - fmpq(1, 36) / fmpq(19, 8))) < fmpq(1, 10**15)


def test_whether_j_is_empty_is_decided_exactly():
    x, y = tied(1)
    assert spurious_minimum(x, y).case == "J empty"
    y = y.astype(float)
    y[0] += 2.0**-40
    assert spurious_minimum(x, y).case == "J"
    # These errors are orthogonal to 1 and x as decimals; their floats leave a gap of rounding size.
    x, y = [[0], [1], [2], [3]], [Decimal(v) for v in ("0.1", "-0.3", "0.3", "-0.1")]
    assert spurious_minimum(x, y).case == "J empty"
    assert spurious_minimum(x, [Fraction(v) for v in y]).case == "J empty"
    found = spurious_minimum(x, [float(v) for v in y])
    assert found.case == "J"
    assert 0 < found.least_squares_risk - found.better_risk < fmpq(1, 10**15)


def test_decimals_on_a_line_are_fitted_and_their_floats_are_not():
    x = [Decimal("0.1"), Decimal("0.2"), Decimal("0.3")]
    table, y = np.array(x)[:, None], np.array([3 * v + Decimal("0.7") for v in x])
    with pytest.raises(ValueError, match="y is a linear function of x, exactly"):
        spurious_minimum(table, y)
    with pytest.raises(ValueError, match="float64 cannot hold the networks of these data"):
        spurious_minimum(table.astype(float), y.astype(float))


def repeated(seed):
    """Whole numbers at few inputs, so that samples, and often labels, repeat."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 3))
    x = rng.integers(0, 3, size=(int(rng.integers(2, 9)), d))
    return x, x @ rng.integers(-2, 3, size=d) + rng.integers(-1, 2, size=len(x))


def assert_better_unless_no_function_is(x, y, slopes):
    """Check the construction by fractions alone; return its case, `None` where it refuses."""
    keys, labels = [tuple(row) for row in x.tolist()], list(map(Fraction, y.tolist()))
    pairs = list(zip(keys, labels, strict=True))
    total = {key: sum((v for k, v in pairs if k == key), Fraction(0)) for key in keys}
    means = {key: total[key] / keys.count(key) for key in keys}
    least = sum(((means[k] - v) ** 2 for k, v in pairs), Fraction(0)) / 2
    ones = np.column_stack([x, np.ones(len(x))]).astype(float)
    fitted = ones @ np.linalg.lstsq(ones, y.astype(float), rcond=None)[0]
    left = np.sum((fitted - y) ** 2) / 2
    if left < 1e-12:
        with pytest.raises(
            ValueError, match=r"which a linear function fits|y is a linear function"
        ):
            spurious_minimum(x, y, activation=slopes)
        return None
    if left < float(least) + 1e-12:
        with pytest.raises(ValueError, match="no function of x has a lower risk"):
            spurious_minimum(x, y, activation=slopes)
        return None
    found, samples = spurious_minimum(x, y, activation=slopes), exact_samples(x, y)
    assert found.better is not None
    cell = check_cell(found.exact_minimum, x, y)
    assert cell.proven
    assert cell.risk == found.least_squares_risk
    assert fmpq(least.numerator, least.denominator) <= found.exact_better.risk(samples)
    assert found.exact_better.risk(samples) < found.least_squares_risk
    assert found.better_risk == exact_risk(found.better, x, y) < found.least_squares_risk
    return found.case


def test_repeated_samples_are_refused_only_where_no_function_is_better():
    cases = [
        assert_better_unless_no_function_is(*repeated(seed), SLOPES[seed % 4])
        for seed in range(300)
    ]
    assert min(cases.count("J"), cases.count(None)) >= 100
    assert "J empty" in cases


@pytest.mark.parametrize("slopes", SLOPES)
def test_where_j_is_empty_repeated_samples_stay_together(slopes):
    for seed in range(5):
        x, y = tied(seed)
        rng = np.random.default_rng(seed)
        shift = rng.integers(1, 4, size=len(x))
        # Each sample twice, with labels moved apart: no prediction and no sum of errors changes.
        twice, labels = np.vstack([x, x]), np.concatenate([y + shift, y - shift])
        assert assert_better_unless_no_function_is(twice, labels, slopes) == "J empty"


def test_theorem_1_on_the_iris_data_with_its_repeated_row():
    from sklearn.datasets import load_iris

    x, y = map(np.asarray, load_iris(return_X_y=True))
    assert (x[101] == x[142]).all()
    found = assert_theorem_1(x, y, 2, (1.0, 0.0))
    assert (found.case, round(float(found.least_squares_risk), 5)) == ("J", 3.48030)
    assert round(float(found.better_risk), 5) == 3.35881
    assert round(float(found.exact_better.risk(exact_samples(x, y))), 5) == 3.35881


@pytest.mark.parametrize("moved", [(0.0, 1e15), (1e12, 0.0), (1e12, 1e15), (-1e13, -1e14)])
def test_where_float64_cannot_hold_the_pair_there_are_rational_networks(moved):
    from sklearn.datasets import load_diabetes

    x, y = map(np.asarray, load_diabetes(return_X_y=True))
    x, y = x[:40, 2:5] + moved[0], y[:40] + moved[1]
    found = spurious_minimum(x, y, width=3)
    assert found.minimum is None
    assert found.better is None
    samples = exact_samples(x, y)
    cell = check_cell(found.exact_minimum, x, y)
    assert cell.proven
    assert found.minimum_risk == cell.risk == found.least_squares_risk
    assert found.exact_better.risk(samples) == found.better_risk < found.least_squares_risk


def test_the_exact_better_network_is_the_one_that_is_rounded():
    for seed in range(10):
        x, y, width, slopes = scattered(seed)
        found = spurious_minimum(x, y, width=width, activation=slopes)
        assert found.better is not None
        assert found.exact_better.nearest().W1.tolist() == found.better.W1.tolist()
        exact = found.exact_better.risk(exact_samples(x, y))
        assert abs(exact - found.better_risk) < found.least_squares_risk / 10**9


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_labels_computed_in_floats_by_a_linear_function_are_refused(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        d = [1, 3, 10][seed % 3]
        x = rng.normal(size=(2 * d + 3, d)) * 10 ** rng.uniform(-3, 3, d) + rng.normal()
        y = x @ (rng.normal(size=d) * 10 ** rng.uniform(-3, 3, d)) + rng.normal()
        with pytest.raises(
            ValueError, match=r"float64 cannot hold.*linear function of x up to round"
        ):
            spurious_minimum(x, y)
        # One label off by a thousandth of its size is data.
        y[0] += 1e-3 * np.abs(y).max()
        assert spurious_minimum(x, y).better_risk > 0


def test_every_alpha_and_every_place_gives_a_minimum_of_the_same_risk():
    x, y, width, slopes = scattered(3)
    first = spurious_minimum(x, y, width=width, activation=slopes)
    for alpha in (1e-3, 0.3, 7, 1e4):
        for place in (0, 1, width - 1):
            other = spurious_minimum(x, y, width=width, activation=slopes, alpha=alpha, place=place)
            assert other.minimum is not None
            cell = check_cell(other.exact_minimum, x, y)
            assert cell.proven
            assert cell.risk == first.least_squares_risk
            assert other.better_risk == first.better_risk
            assert np.argmax(np.asarray(other.minimum.W2[0])) == place


def test_a_quarter_of_the_gap_may_raise_the_risk():
    # A wide gap between −9 and 9, below which the errors nearly cancel.
    x = np.array([[-11.0], [-10.0], [-9.0], [9.0], [10.0], [11.0]])
    y = x[:, 0] + np.array([1.0, -1.75, 1.0, -1.0, 1.75, -1.0])
    found = spurious_minimum(x, y)
    samples = exact_samples(x, y)
    quarter = []
    for sign in (1, -1):
        gamma = sign * fmpq(18, 4)
        line = found.exact_minimum.inner[0, 0]
        bent = RationalNetwork(
            fmpq_mat([[line, gamma], [-line, gamma]]), fmpq_mat([[1, -1, 0]]),
            lj.activations.leaky(1, 0),
        )  # fmt: skip
        quarter.append(bent.risk(samples))
    assert min(quarter) > found.least_squares_risk > found.better_risk


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": [2.0, 1.0, 0.0]}, "y is a linear function of x, exactly"),
        ({"x": [[1.0], [0.0], [1.0]]}, "y is a linear function of x, exactly"),
        (
            {"x": [[1.0], [0.0], [1.0]], "y": [3.0, 0.0, 1.0]},
            "x has the same inputs in samples 1 and 3, counted from 1, and the least squares "
            "predict the mean label at each of its inputs: no function of x has a lower risk",
        ),
        ({"x": [[0.0], [0.0]], "y": [0.0, 1.0]}, "x has the same inputs in samples 1 and 2"),
        ({"x": [[1.0], [0.0]], "y": [1.0, 0.0]}, "x has 2 samples, which a linear function fits"),
        ({"width": 1}, "width is 1; it must be at least 2"),
        ({"alpha": 0}, "alpha is 0; it must be a positive number"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"alpha": math.inf}, "alpha is inf"),
        ({"place": 2}, "place is 2; it must be a neuron's, from 0 to 1"),
        ({"activation": (0.0, 1.0)}, r"slopes \(0.0, 1.0\); they must be s\+ > 0, s- >= 0"),
        ({"activation": (1.0, -0.5)}, r"they must be s\+ > 0, s- >= 0"),
        ({"activation": (math.nan, 0.5)}, r"they must be s\+ > 0, s- >= 0"),
        ({"activation": "linear"}, r"s\+ and s- must differ"),
        ({"activation": "tanh"}, "activation is tanh; it must be piecewise linear, such as relu"),
        ({"activation": "rely"}, "activation is 'rely'; it must be a function or one of relu"),
        (
            {"x": [1.0, 2.0, 3.0]},
            r"x has shape \(3,\); it must be \(samples, inputs\)",
        ),
        ({"x": np.zeros((3, 0))}, r"x has shape \(3, 0\)"),
        ({"y": [1.0, 2.0]}, r"y has shape \(2,\); give one label for each of the 3 samples"),
        ({"y": np.zeros((3, 2))}, "y has 2 outputs; theorem 1 is for one"),
        ({"x": [[1.0], [math.nan], [0.0]]}, "x has NaN or infinite entries"),
        ({"y": [1.0, math.inf, 0.0]}, "y has NaN or infinite entries"),
        ({"y": np.array([Decimal("NaN"), 1, 2])}, "y has NaN or infinite entries"),
        ({"y": [1e200, 0.0, 1e200]}, "y has a least-squares risk beyond float64; scale it"),
        ({"y": [1e-200, 0.0, 1e-200]}, "y has a least-squares risk beyond float64; scale it"),
        (
            {"alpha": 1e-308, "y": [1e3, 0.0, 1e3], "activation": (1e-3, 0.0)},
            "a parameter is too large for float64",
        ),
    ],
)
def test_data_and_arguments_that_theorem_1_does_not_cover_are_refused(changes, message):
    arguments = {"x": LINE, "y": BENT} | changes
    with pytest.raises(ValueError, match=message):
        spurious_minimum(arguments.pop("x"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (LINE.astype(np.float32), "x has dtype float32; give float64.*jax.config.update"),
        (LINE + 0j, "x has dtype complex128; give real numbers"),
        ([["a"], ["b"], ["c"]], "x has dtype <U1; give real numbers"),
        (np.array([[None], [1], [2]]), "x has dtype object; give real numbers"),
    ],
)
def test_data_that_are_no_real_numbers_of_double_precision_are_refused(x, message):
    with pytest.raises(TypeError, match=message):
        spurious_minimum(x, BENT)


def test_in_single_precision_the_construction_is_refused():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'jax.config.update\("jax_enable_x64", True\) first'),
    ):
        spurious_minimum(LINE, BENT)

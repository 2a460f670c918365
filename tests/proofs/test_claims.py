"""Claims in rational numbers: true ones hold from their files alone, and no changed one does."""

import json
from dataclasses import replace
from itertools import product

import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from landscape_jax.networks import TwoLayer
from landscape_jax.proofs import (
    Certificate,
    CertificateError,
    Claim,
    Layers,
    MinimumOnData,
    NotProven,
    SpuriousOnData,
    prove_minimum_on_data,
    prove_region_bound,
    prove_saddle_on_data,
    prove_spurious_on_data,
    verify,
)
from landscape_jax.proofs.one_sided_slopes import OneSided
from landscape_jax.theory.basins import basin_values, lower_bound_claim, region_patterns
from landscape_jax.theory.cells import (
    KinkMinimum,
    genuine_minima,
    global_minimum,
    landscape,
    minimum_claim,
    nondifferentiable_minima,
    saddle_claim,
    saddles,
)
from tests.proofs.claim_problems import (
    BENT,
    EVERY,
    FLAT,
    ONE,
    RELU,
    X,
    Y,
    basins,
    bounded,
    constructed,
    kinked,
    listed,
    proven,
    simple,
    small,
)
from tests.proofs.helpers import make_risk, spurious

CLOSE = fmpq(1, 10**12)


@pytest.mark.parametrize("seed", range(30))
def test_constructions_of_theorem_1_hold_from_their_files(tmp_path, seed):
    claim = constructed(seed)
    path = claim.save(tmp_path / "claim.json")
    again = SpuriousOnData.load(path)
    assert all(getattr(again, name) == getattr(claim, name) for name in claim.SHAPES)
    assert json.loads(path.read_text())["statement"] == claim.statement == again.statement
    for given in (claim, path, Claim.load(path)):
        result = verify(given)
        assert result.holds, result.reason
        assert result.reason is None


@pytest.mark.parametrize("seed", range(30))
def test_all_listed_minima_hold_from_their_files(tmp_path, seed):
    claims = listed(seed)
    for claim in claims:
        assert verify(claim), verify(claim).reason
    path = claims[-1].save(tmp_path / "claim.json")
    assert verify(path), verify(path).reason
    assert MinimumOnData.load(path).kinks == claims[-1].kinks


@pytest.mark.parametrize("kinks", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_all_listed_saddles_hold_from_their_files(tmp_path, seed, kinks):
    x, y, width = small(seed)
    for saddle in saddles(x, y, width, kinks=kinks):
        claim = proven(saddle_claim(x, y, saddle))
        path = claim.save(tmp_path / "claim.json")
        assert verify(path), verify(path).reason
        assert float(claim.loss) == pytest.approx(saddle.loss, rel=1e-15)
        assert "has a saddle (no descent" in claim.statement
        outcome = prove_minimum_on_data(claim.x, claim.y, claim.weights, claim.outputs)
        assert not outcome.proven


@pytest.mark.parametrize(
    ("w", "z", "v", "reason"),
    [
        ([1, 1], 0, [1, -1], None),
        ([1, 1], 0, [1, 1], "not proven to fall and rise along the direction 0"),
        ([1, 1], 0, [0, 0], "no direction is given"),
        ([1, 2], 0, [1, -1], "not proven to have no descent to first order in neuron 0"),
        ([1, 1], 1, [1, -1], "not proven to have no descent to first order in neuron 0"),
        # A minimum: the error is 0 where the neuron is active.
        ([1, 0], 1, [1, -1], "not proven to fall and rise along the direction 0"),
    ],
)
def test_points_that_are_no_saddles_are_refused(w, z, v, reason):
    x, y = fmpq_mat(2, 2, [1, 0, 0, 1]), (fmpq(1), fmpq(-1))
    given = fmpq_mat(1, 2, w), (fmpq(z),), fmpq_mat(1, 2, v)
    outcome = prove_saddle_on_data(x, y, *given)
    assert outcome.proven == (reason is None)
    assert reason is None or reason in str(outcome.reason)


def test_listed_minima_have_neurons_at_rest_on_kinks_and_both():
    claims = [claim for seed in range(30) for claim in listed(seed)]
    assert any(0 in claim.outputs for claim in claims)
    assert any(any(claim.kinks) for claim in claims)
    assert len({claim.loss for claim in claims}) > 30


@pytest.mark.parametrize("label", [0, 1])
def test_resting_neurons_on_kinks_are_minima_only_where_no_error_pulls(label):
    x, y = fmpq_mat([[1, 0], [0, 1], [1, 1]]), (fmpq(0), fmpq(label), fmpq(0))
    outcome = prove_minimum_on_data(x, y, fmpq_mat(1, 2, [1, 0]), (fmpq(0),))
    assert outcome.proven == (label == 0)


def test_the_floats_of_resting_neurons_are_moved_onto_their_kinks():
    x, y = [[1, 3], [0, 1], [1, 1]], [0, 0, 0]
    found = landscape(x, y, 1)
    minima = [*found.differentiable_minima, *found.smooth_kinks]
    resting = minima[0]._replace(signs=(0,))
    on = KinkMinimum(
        network=TwoLayer(jnp.array([[0.3, -0.1 - 1e-17]]), jnp.zeros((1, 1))),
        loss=0.0, unique=False, differentiable=True, signs=(0,), kinks=((0,),), multipliers=({},),
        sharp=False, radius=1.0, margin=1.0, R=fmpq_mat(1, 2),
    )  # fmt: skip
    assert proven(minimum_claim(x, y, resting)).kinks == ((),)
    assert proven(minimum_claim(x, y, on)).kinks == ((0,),)


@pytest.mark.parametrize("seed", range(10))
def test_no_network_near_a_claimed_minimum_is_lower(seed):
    rng = np.random.default_rng(seed)
    for claim in listed(seed)[:5]:
        neurons, inputs = claim.weights.nrows(), claim.weights.ncols()
        for _ in range(100):
            steps = rng.integers(-9, 10, size=(neurons, inputs + 1)) / 2.0**20
            moved = [
                [t + fmpq(*float(s).as_integer_ratio()) for t, s in zip(row, step, strict=False)]
                for row, step in zip(claim.weights.tolist(), steps.tolist(), strict=True)
            ]
            outputs = [
                z + fmpq(*float(step[-1]).as_integer_ratio())
                for z, step in zip(claim.outputs, steps.tolist(), strict=True)
            ]
            heights = (claim.x * fmpq_mat(moved).transpose()).tolist()
            loss = sum(
                (
                    (sum(z * max(h, fmpq(0)) for z, h in zip(outputs, row, strict=True)) - y) ** 2
                    for row, y in zip(heights, claim.y, strict=True)
                ),
                fmpq(0),
            ) / len(claim.y)
            assert loss >= claim.loss


def test_saddles_and_other_points_are_not_proven_minima():
    x, y, width = small(1)
    rows, labels = fmpq_mat_of(x), tuple(rational(t) for t in y)
    saddles = landscape(x, y, width).saddles
    assert saddles
    for saddle in saddles:
        weights = fmpq_mat_of(np.asarray(saddle.network.W1))
        outputs = tuple(map(fmpq, saddle.signs))
        outcome = prove_minimum_on_data(rows, labels, weights, outputs)
        assert isinstance(outcome, NotProven)
        assert not outcome.proven
        assert "not proven to stay or rise in all directions of neuron" in str(outcome.reason)


def rational(number):
    return fmpq(*float(number).as_integer_ratio())


def fmpq_mat_of(table):
    return fmpq_mat([[rational(t) for t in row] for row in table.tolist()])


def test_a_global_minimum_is_a_local_one_and_global_where_its_loss_is_0():
    rng = np.random.default_rng(0)
    x, y = np.column_stack([rng.normal(size=(8, 1)), np.ones(8)]), rng.normal(size=8)
    claim = proven(minimum_claim(x, y, global_minimum(x, y, 2)))
    assert verify(claim)
    assert "global" not in claim.statement
    # One neuron is enough: the others rest, with weights that are 0 at no sample.
    y = np.maximum(x[:, 0], 0)
    flat = proven(minimum_claim(x, y, global_minimum(x, y, 3)))
    assert verify(flat)
    assert flat.outputs.count(fmpq(0)) == 2
    assert "loss 0" in flat.statement
    assert "; it is global, as no loss is negative; " in flat.statement


def test_minima_inside_cells_that_are_listed_alone_have_claims():
    x, y, width = small(2)
    claims = [proven(minimum_claim(x, y, minimum)) for minimum in genuine_minima(x, y, width)]
    assert claims
    assert all(map(verify, claims))


def test_kink_minima_that_are_enumerated_alone_have_claims():
    x, y = [[1, 0], [0, 1], [1, 1]], [-1, 0, 1]
    for minimum in nondifferentiable_minima(x, y, 1):
        claim = proven(minimum_claim(x, y, minimum))
        assert verify(claim)
        assert claim.kinks == minimum.kinks


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_one_sided_derivatives_rise_if_and_only_if_they_do_on_a_fine_grid(inputs):
    """Coefficients are whole and small, so the least slopes lie on rays that the grid has."""
    rng = np.random.default_rng(inputs)
    grid = np.array(list(product(range(-12, 13), repeat=inputs)))
    seen = set()
    for _ in range(300):
        lines = {tuple(rng.integers(-1, 2, size=inputs).tolist()) for _ in range(rng.integers(4))}
        lines = sorted(line for line in lines if any(line) and line > tuple(-t for t in line))
        bends = rng.choice([-1, 1, 2, 3], size=len(lines))
        gradient = rng.integers(-1, 2, size=inputs)
        h = grid @ gradient + sum(
            (
                c * np.maximum(grid @ np.array(line), 0)
                for c, line in zip(bends, lines, strict=True)
            ),
            np.zeros(len(grid)),
        )
        function = OneSided(
            tuple(map(fmpq, gradient.tolist())),
            tuple(tuple(map(fmpq, line)) for line in lines),
            tuple(map(fmpq, bends.tolist())),
        )
        for sign in (1, -1):
            rises = bool(np.all(sign * h >= 0))
            assert function.rises(sign) == rises
            seen.add((rises, bool(lines)))
    assert len(seen) == 4


@pytest.mark.parametrize("seed", range(20))
def test_lower_bounds_of_basins_hold_and_lose_only_rounding(tmp_path, seed):
    problem = basins(seed, inputs=1 + seed % 2)
    values = problem[-1]
    claims = [proven(lower_bound_claim(*problem, index)) for index in range(4)]
    for index, claim in enumerate(claims):
        assert verify(claim), verify(claim).reason
        lower = float(values.value[index] - values.gap[index])
        scale = float(jnp.mean(problem[1] ** 2))
        assert abs(int(claim.lower.p) / int(claim.lower.q) - lower) < 1e-9 * scale
        unbounded = all(reach is None for reach in claim.reach)
        assert unbounded == bool(jnp.all(jnp.isinf(values.reach[index])))
    assert verify(claims[0].save(tmp_path / "claim.json"))


def test_a_bound_for_weights_within_reach_says_so():
    claim = bounded(True)
    i = next(i for i, reach in enumerate(claim.reach) if reach is not None)
    assert f"with |X w_{i}| at most " in claim.statement
    assert "at most" not in bounded(False).statement
    assert verify(bounded(False))


def test_a_bound_that_is_not_positive_is_that_of_0():
    x, y = jnp.eye(2), jnp.ones(2)
    patterns = region_patterns(x, jnp.ones((1, 1, 2)))
    values = basin_values(x, y, patterns, jnp.ones(1))
    values = values._replace(errors=values.errors + 100.0)
    claim = proven(lower_bound_claim(x, y, patterns, jnp.ones(1), values, 0))
    assert claim.lower == 0
    assert verify(claim)


def changes(claim, names):
    """Change each entry of some fields by 1e-12, and recompute the sentence."""
    for name in names:
        field = getattr(claim, name)
        if isinstance(field, fmpq):
            yield replace(claim, **{name: field * (1 + CLOSE)})
        elif isinstance(field, tuple):
            for i, t in enumerate(field):
                moved = t * (1 + CLOSE) if t else CLOSE
                yield replace(claim, **{name: (*field[:i], moved, *field[i + 1 :])})
        else:
            for i, k in product(range(field.nrows()), range(field.ncols())):
                rows = field.tolist()
                rows[i][k] = rows[i][k] * (1 + CLOSE) if rows[i][k] else CLOSE
                yield replace(claim, **{name: fmpq_mat(rows)})


def test_a_changed_claim_does_not_hold_with_a_sentence_of_its_own():
    claim = constructed()
    # The weights of a neuron of output weight 0 may change: that is another minimum.
    fields = ["x", "y", "slopes", "outer", "risk", "better_risk"]
    for changed in changes(claim, fields):
        assert not verify(changed)
    claim = kinked()
    for changed in changes(claim, ["y", "weights", "outputs", "loss"]):
        assert not verify(changed)
    for reached in (False, True):
        # Other dual points may prove as much.
        for changed in changes(bounded(reached), ["x", "lower"]):
            assert not verify(changed)


@pytest.mark.parametrize(
    ("minimum", "better", "reason"),
    [
        (BENT, FLAT, "a neuron's input is 0 at a sample: the network is not inside its cell."),
        (
            Layers(fmpq_mat(1, 2, [0, 1]), (fmpq(1, 2), fmpq(0))),
            BENT,
            "the errors are not orthogonal to what the cell's networks can do.",
        ),
        (
            # Σ eᵢ = 0 alone is not enough where a neuron is active on one side.
            Layers(fmpq_mat(1, 2, [2, -1]), (fmpq(0), fmpq(2, 3))),
            BENT,
            "the errors are not orthogonal to what the cell's networks can do.",
        ),
        (FLAT, FLAT, "the better network's risk is not lower than the minimum's."),
    ],
)
def test_what_is_no_spurious_minimum_is_not_proven(minimum, better, reason):
    outcome = prove_spurious_on_data(X, Y, RELU, minimum, better)
    assert isinstance(outcome, NotProven)
    assert outcome.reason == reason


def test_objections_name_what_is_wrong():
    claim = simple()
    reason = verify(replace(claim, risk=fmpq(1, 2))).reason
    assert reason == "the minimum's risk is not the claimed one."
    reason = verify(replace(claim, better_risk=fmpq(1, 8))).reason
    assert reason == "the better network's risk is not the claimed one."
    reason = verify(replace(kinked(), loss=fmpq(1))).reason
    assert reason == "the loss of the network is not the claimed one."
    bound = bounded(True)
    i = next(i for i, reach in enumerate(bound.reach) if reach is not None)
    zeros = fmpq_mat(len(bound.y), len(bound.signs))
    for change, reason in [
        ({"pattern": fmpq_mat([[fmpq(2)] * len(bound.signs)] * len(bound.y))}, "its pattern is"),
        ({"multipliers": -1 * bound.multipliers}, "a multiplier is negative."),
        ({"reach": (-ONE,) * len(bound.reach)}, "a reach is not positive."),
        ({"multipliers": zeros}, "the dual point does not satisfy the dual constraints."),
        ({"reach": (None,) * len(bound.reach)}, "a neuron without a reach does not satisfy"),
        ({"lower": bound.lower * 2}, "the loss is not proven to be as large as claimed."),
        (
            {"reach": tuple(r and r * (10**9 if k == i else 1) for k, r in enumerate(bound.reach))},
            "the loss is not proven to be as large as claimed.",
        ),
    ]:
        assert str(verify(replace(bound, **change)).reason).startswith(reason)


def test_an_infeasible_dual_point_proves_nothing():
    x, y = fmpq_mat(2, 2, [1, 0, 0, 1]), (ONE, fmpq(2))
    outcome = prove_region_bound(
        x,
        y,
        fmpq_mat(2, 1, [1, 0]),
        (ONE,),
        (ONE, fmpq(-2)),
        fmpq_mat(2, 1),
        fmpq_mat(1, 2),
        (None,),
    )
    assert outcome.reason == "the dual point does not satisfy the dual constraints."


def test_a_claim_about_samples_is_about_no_population_risk():
    for claim in (make() for make in EVERY.values()):
        reason = verify(claim, make_risk(np.eye(2))).reason
        assert reason == "it is about samples, not about a population risk."


def test_claims_of_every_kind_are_claims_and_each_class_loads_its_own(tmp_path):
    proof = spurious(6)[2]
    path = proof.save(tmp_path / "proof.json")
    assert isinstance(Claim.load(path), Certificate)
    for claim in (proof, *(make() for make in EVERY.values())):
        assert isinstance(claim, Claim)
        assert claim
        assert claim.proven
        assert claim.reason is None
    with pytest.raises(CertificateError, match="not a SpuriousOnData but a Certificate"):
        SpuriousOnData.load(path)
    with pytest.raises(CertificateError, match="not a Certificate but a SpuriousOnData"):
        Certificate.load(constructed().save(tmp_path / "claim.json"))


def test_sentences_name_the_problem_and_the_numbers():
    claim = simple()
    assert claim.statement == (
        "The empirical risk 1/2 sum (q(x_i) - y_i)^2 of networks with one hidden layer of 1 "
        "neurons with biases, of slope 1 above 0 and 0 below, on 3 samples x_i in R^1 has a local "
        "minimum of risk 1/3 that is not global: another such network has risk 1/4; SHA-256 of "
        f"the samples and networks {claim.digest}."
    )
    label = (fmpq(10**30, 3**50),)
    long = proven(prove_minimum_on_data(fmpq_mat(1, 1, [-1]), label, fmpq_mat(1, 1, [1]), (ONE,)))
    assert "of loss about 1940325217482.63; SHA-256" in long.statement
    assert " with 2 of the neurons on kinks; " in kinked().statement

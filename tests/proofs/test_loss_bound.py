"""Lower bounds of the loss of all networks: they hold from their files, and false ones do not."""

import itertools
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from landscape_jax.proofs import LossBound, prove_loss_bound, verify
from landscape_jax.proofs.loss_bound import ray_heights
from landscape_jax.theory.cells import bound_claim, global_minimum
from landscape_jax.theory.cells.rays import all_rays
from tests.proofs.claim_problems import least, proven, small

ONE = fmpq(1)


@pytest.mark.parametrize("seed", range(12))
def test_the_bound_is_the_loss_of_the_global_minimum_and_holds_from_its_file(seed, tmp_path):
    x, y, width = small(seed)
    found = global_minimum(x, y, width)
    claim = proven(bound_claim(x, y, found))
    assert claim.lower == found.exact_loss
    assert verify(claim.save(tmp_path / "claim.json"))
    again = LossBound.load(tmp_path / "claim.json")
    assert all(getattr(again, name) == getattr(claim, name) for name in claim.SHAPES)


@pytest.mark.parametrize("shape", [(9, 3, 2), (7, 2, 3), (6, 4, 1), (5, 1, 2)])
def test_other_inputs_and_widths_have_bounds_that_no_random_network_beats(shape):
    samples, inputs, width = shape
    rng = np.random.default_rng(0)
    x, y = rng.integers(-9, 10, (samples, inputs)), rng.integers(-9, 10, samples)
    claim = proven(bound_claim(x, y, global_minimum(x, y, width)))
    assert verify(claim)
    w, z = rng.normal(size=(2000, width, inputs)), rng.normal(size=(2000, width))
    q = np.einsum("kj,kji->ki", z, np.maximum(w @ x.T, 0))
    scale = (q @ y) / np.maximum(np.sum(q**2, axis=1), 1e-300)  # The best multiple of q.
    assert np.min(np.mean((scale[:, None] * q - y) ** 2, axis=1)) >= float(claim.lower) * (
        1 - 1e-12
    )


def test_a_search_that_is_stopped_proves_the_bound_that_it_has():
    rng = np.random.default_rng(0)
    x, y = np.column_stack([rng.integers(-9, 10, 12), np.ones(12, int)]), rng.integers(-9, 10, 12)
    whole, part = (global_minimum(x, y, 2, limit=limit) for limit in (10**6, 5))
    assert not part.proven
    claim = proven(bound_claim(x, y, part))
    assert verify(claim)
    assert 0 <= claim.lower <= whole.exact_loss
    assert float(claim.lower) == pytest.approx(part.lower, rel=1e-6, abs=1e-12)


def test_rays_are_those_of_the_search():
    rng = np.random.default_rng(1)
    for samples, inputs in ((5, 2), (6, 3), (4, 1)):
        x = rng.integers(-3, 4, (samples, inputs))
        x[-1] = x[0]
        ours = {tuple(np.sign(row)) for row in ray_heights(fmpq_mat(x.tolist()))}
        theirs = {tuple(row) for row in all_rays(x, np.ones(samples)).signs.tolist()}
        assert ours == theirs


def test_data_without_inputs_have_a_bound():
    x, y = [[0, 0], [0, 0]], [1, 2]
    claim = proven(bound_claim(x, y, global_minimum(x, y, 1)))
    assert verify(claim)
    assert claim.lower == fmpq(5, 2)


def _changed(claim, name, place, value):
    entry = getattr(claim, name)
    table = [list(row) for row in entry.tolist()]
    table[place[0]][place[1]] = fmpq(value)
    return replace(claim, **{name: fmpq_mat(table)})


def test_no_changed_bound_holds():
    claim = least()
    nodes, samples = claim.tree.nrows(), claim.x.nrows()
    for change, reason in [
        (replace(claim, lower=claim.lower + fmpq(1, 10**30)), "as large as claimed"),
        (replace(claim, width=claim.width + 1), "not decide all regions|does not hold"),
        (replace(claim, width=fmpq(1, 2)), "width is not a whole number"),
        (replace(claim, width=fmpq(0)), "width is not a whole number"),
        (replace(claim, width=fmpq(101)), "width is not a whole number"),
        (replace(claim, tree=fmpq_mat(claim.tree.tolist()[:-1])), "not decide all regions"),
        (replace(claim, tree=fmpq_mat([*claim.tree.tolist(), [fmpq(-1), fmpq(0)]])), "more nodes"),
        (_changed(claim, "tree", (0, 0), fmpq(1, 2)), "not of whole numbers"),
        (_changed(claim, "tree", (0, 0), int(claim.width.p)), "no neuron or no sample"),
        (_changed(claim, "tree", (nodes - 1, 1), claim.errors.nrows()), "has no dual point"),
        (_changed(claim, "tree", (nodes - 1, 1), -1), "has no dual point"),
    ]:
        result = verify(change)
        assert not result.holds
        assert any(part in str(result.reason) for part in reason.split("|")), result.reason
    for row, column in itertools.product(range(claim.errors.nrows()), range(samples)):
        for shift in (fmpq(1, 1000), fmpq(-1, 1000)):
            entry = claim.errors[row, column]
            moved = _changed(claim, "errors", (row, column), entry + shift)
            # A dual point that moves no longer holds, or proves less, unless it had slack.
            if verify(moved):
                assert moved.lower <= claim.lower
    zero = replace(claim, errors=claim.errors * 0)
    assert "as large as claimed" in str(verify(zero).reason)


@pytest.mark.parametrize("seed", range(40))
def test_random_trees_prove_nothing_false(seed):
    x, y, width = small(seed % 12)
    found = global_minimum(x, y, width)
    true = proven(bound_claim(x, y, found))
    rng = np.random.default_rng(seed)
    rows = [list(map(int, (a.p, b.p))) for a, b in true.tree.tolist()]
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(rows)))
        rows[place] = [int(rng.integers(-1, width)), int(rng.integers(0, len(y)))]
    forged = replace(true, tree=fmpq_mat(rows), lower=found.exact_loss + fmpq(1, 10**6))
    assert not verify(forged)
    outcome = prove_loss_bound(true.x, true.y, width, fmpq_mat(rows), true.errors)
    assert not outcome or outcome.lower <= found.exact_loss


def test_what_would_take_too_long_is_refused():
    x = fmpq_mat([[fmpq(i), fmpq(i * i), fmpq(i**3), fmpq(1)] for i in range(100)])
    assert comb(100, 3) > 100_000
    outcome = prove_loss_bound(x, (ONE,) * 100, 1, fmpq_mat([[-1, 0], [-1, 0]]), fmpq_mat(1, 100))
    assert "too many rays" in str(outcome.reason)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="errors has shape"):
        prove_loss_bound(fmpq_mat(1, 1, [1]), (ONE,), 1, fmpq_mat(1, 2, [-1, 0]), fmpq_mat(1, 2))

"""Proofs that are called with wrong arguments: one line that names the argument."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import landscape_jax as lj
from landscape_jax.proofs import (
    Layers,
    prove_minimum_on_data,
    prove_region_bound,
    prove_saddle_on_data,
    prove_spurious_on_data,
)

RISK, W = lj.PopulationRisk(jnp.eye(2)), np.eye(2)
TWO: Any = 2
BYTES: Any = b"claim.json"
ARRAY: Any = W
PROOF: Any = lj.prove_minimum(RISK, W)
ONE, PAIR = (fmpq(1),), (fmpq(1), fmpq(-1))
X = fmpq_mat(2, 2, [1, 0, 0, 1])
POINT = {"x": X, "y": PAIR, "weights": fmpq_mat(1, 2, [1, 0]), "outputs": ONE}
BOUND = {
    "x": X, "y": PAIR, "pattern": fmpq_mat(2, 1, [1, 0]), "signs": ONE, "errors": PAIR,
    "multipliers": fmpq_mat(2, 1), "remainders": fmpq_mat(1, 2), "reach": (None,),
}  # fmt: skip
FLAT = Layers(fmpq_mat(1, 3, [0, 0, 1]), PAIR)
SPURIOUS = {"x": X, "y": PAIR, "slopes": PAIR, "minimum": FLAT, "better": FLAT}
WIDE = Layers(fmpq_mat(2, 3), (*PAIR, fmpq(0)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lj.prove_minimum(RISK, [[1.0, 2.0], [3.0]]), ValueError, "W is not an array: its"),
        (lambda: lj.prove_minimum(RISK, W, witness=[[1.0], []]), ValueError, "witness is not an"),
        (lambda: lj.prove_minima(RISK, W), ValueError, r"points\[0\] must have 2 axes, not 1"),
        (lambda: lj.prove_minima(RISK, [W, W + 0j]), TypeError, r"points\[1\] has dtype complex"),
        (
            lambda: lj.prove_minima(RISK, [W, np.ones((2, 3))]),
            ValueError,
            r"points\[1\] has neurons in R\^3, the teacher's are in R\^2",
        ),
        (lambda: lj.verify(TWO), TypeError, "claim is 2; give a Claim"),
        (lambda: lj.verify(ARRAY), TypeError, "claim is an array of float64"),
        (lambda: lj.Claim.load(BYTES), TypeError, "path is b'claim.json'; give"),
        (lambda: PROOF.save(TWO), TypeError, "path is 2; give"),
    ],
)
def test_what_is_proven_is_named_where_it_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("prove", "given", "change", "message"),
    [
        (prove_minimum_on_data, POINT, {"y": ONE}, r"y has shape \(1,\); it must be \(samples\)"),
        (prove_minimum_on_data, POINT, {"weights": fmpq_mat(1, 3)}, "weights has shape"),
        (prove_minimum_on_data, POINT, {"outputs": PAIR}, "where samples are 2, inputs are 2, neu"),
        (prove_saddle_on_data, POINT, {"directions": fmpq_mat(2, 2)}, "directions has shape"),
        (prove_region_bound, BOUND, {"x": fmpq_mat(0, 2)}, r"x has shape \(0, 2\).*none of them 0"),
        (prove_region_bound, BOUND, {"pattern": fmpq_mat(1, 1)}, "pattern has shape"),
        (prove_region_bound, BOUND, {"reach": PAIR}, "reach has shape"),
        (prove_spurious_on_data, SPURIOUS, {"x": fmpq_mat(2, 3)}, "minimum.inner has shape"),
        (prove_spurious_on_data, SPURIOUS, {"better": WIDE}, "better.inner has shape .2, 3.; it"),
    ],
)
def test_rational_arguments_that_do_not_fit_are_named_with_the_shape_they_must_have(
    prove, given, change, message
):
    with pytest.raises(ValueError, match=message):
        prove(**(given | change))


def test_points_may_come_one_after_another():
    assert [proof.kind for proof in lj.prove_minima(RISK, iter([W, W[::-1]]))] == ["global"] * 2

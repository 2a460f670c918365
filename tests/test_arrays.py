"""Arguments become arrays and numbers, known where they are, or are refused by name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.arrays import checked, count, floating, floats, is_traced, positive, values


@pytest.mark.parametrize("given", [np.ones(2, int), np.ones(2, bool), [1, 1], jnp.ones(2, int)])
def test_integers_and_booleans_become_the_default_float(given):
    assert floats("x", given).dtype == jnp.float64
    with jax.enable_x64(False):
        assert floats("x", np.asarray(given)).dtype == jnp.float32


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_floats_keep_their_dtype(dtype):
    assert floats("x", jnp.ones(2, dtype)).dtype == floating("x", jnp.ones(2, dtype)).dtype == dtype


def test_known_values_stay_known_inside_jit_and_traced_ones_are_told_apart():
    found, known = [], (np.ones(2), [1, 2], jnp.ones(2, int))

    def inside(t):
        arrays = [floats("x", v) for v in (*known, t, [t[0], 1.0])]
        found.extend(is_traced(array) for array in arrays)
        found.append(values(t) is None and values(t, np.ones(1)) == 1)
        return t

    jax.jit(inside)(jnp.ones(2))
    assert found == [False, False, False, True, True, True]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: floats("x", 1j), TypeError, "x has dtype complex128; give real numbers"),
        (lambda: floats("x", "one"), TypeError, "x has dtype <U3; give real numbers"),
        (lambda: floats("x", None), TypeError, "x has dtype object; give real numbers"),
        (lambda: floats("x", jax.random.key(0)), TypeError, "x has dtype key<fry>; give real"),
        (lambda: floats("x", [[1], [2, 3]]), ValueError, "x is not an array: its rows differ"),
        (lambda: floating("W", [1, 2]), TypeError, "W has dtype int64; give a floating array"),
        (lambda: checked("x", np.ones(2), 2, "(a, b)"), ValueError, r"shape \(2,\); it must be"),
        (lambda: checked("x", np.ones((2, 0)), 2, "(a, b)"), ValueError, "none of them 0"),
        (lambda: checked("x", [np.nan], 1, "(a,)"), ValueError, "x has NaN or infinite entries"),
        (lambda: count("n", 2.0), TypeError, r"n is 2\.0; give an integer of at least 1"),
        (lambda: count("n", True), TypeError, "n is True; give an integer of at least 1"),
        (lambda: count("n", 0), ValueError, "n is 0; it must be at least 1"),
        (lambda: count("n", 2**31), ValueError, "n is 2147483648; it must be at most 2147483647"),
        (lambda: positive("s", "big"), TypeError, "s is 'big'; it must be a positive number"),
        (lambda: positive("s", [1.0]), ValueError, r"s is \[1.0\]; it must be a positive number"),
        (lambda: positive("s", np.inf), ValueError, "s is inf; it must be a positive number"),
    ],
)
def test_what_is_not_asked_for_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_number_that_overflows_the_precision_is_not_finite():
    with jax.enable_x64(False), pytest.raises(ValueError, match="x has NaN or infinite entries"):
        checked("x", np.full(2, 1e300), 1, "(a,)")


def test_a_count_is_known():
    with pytest.raises(TypeError, match="n is traced; give an integer that is known"):
        jax.jit(lambda n: jnp.ones(count("n", n)))(3)

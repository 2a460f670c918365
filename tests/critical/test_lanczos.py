"""Lanczos' extremes: within the stated bound of dense eigenvalues, NaN where there is none."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import landscape_jax as lj
from landscape_jax.critical.lanczos import Eigenvalues, extreme_eigenvalues

KEY = jax.random.key(0)
# Unlike getrusage, it does not count the process that started this one.
STATUS = Path("/proc/self/status")


class Quadratic(lj.AbstractObjective):
    """½ xᵀHx, whose Hessian is H everywhere."""

    H: Float[Array, "size size"]

    def __call__(self, params):
        return params @ self.H @ params / 2


def _quadratic(eigenvalues, dtype: str = "float64") -> Quadratic:
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))[0]
    return Quadratic(jnp.asarray((Q * np.asarray(eigenvalues)) @ Q.T, dtype))


def _at_zero(risk: Quadratic, count: int, **options) -> Eigenvalues:
    zero = jnp.zeros(len(risk.H), risk.H.dtype)
    return extreme_eigenvalues(risk, zero, count, key=KEY, **options)


def _problem(name: str, large: bool):
    """Give an objective and a point of about 2,000 parameters, or a tenth of that."""
    rng = np.random.default_rng(1)
    if name == "population":
        k = 44 if large else 14
        return lj.PopulationRisk(jnp.eye(k)), lj.starts.gaussian((k, k))(KEY)
    x, y = rng.standard_normal((300, 10)), rng.standard_normal((300, 3))
    risk = lj.EmpiricalRisk(jnp.asarray(x), jnp.asarray(y), chunk=128)
    kind, sizes = {
        "mlp": (lj.Mlp, (10, 50, 25, 3) if large else (10, 8, 6, 3)),
        "linear": (lj.DeepLinear, (10, 38, 38, 3) if large else (10, 8, 8, 3)),
    }[name]
    return risk, lj.starts.network(kind, sizes)(KEY)


@pytest.mark.parametrize(
    ("name", "large"),
    [
        ("population", False),
        pytest.param("population", True, marks=pytest.mark.slow),
        *(pytest.param("mlp", large, marks=pytest.mark.slow) for large in (False, True)),
        pytest.param("linear", True, marks=pytest.mark.slow),
    ],
)
def test_extremes_agree_with_dense_eigenvalues_to_the_stated_bound(name, large):
    risk, params = _problem(name, large)
    dense = lj.spectrum(risk, params)
    assert not large or 1800 <= len(dense) <= 2000
    found = extreme_eigenvalues(risk, params, 5, which="both", steps=160, key=KEY)
    values, bounds = np.asarray(found.values), np.asarray(found.error_bounds)
    assert np.all(np.abs(values[:, None] - dense).min(axis=1) <= bounds)
    # The largest is far from the rest; what has converged is found as the i-th.
    sharp = bounds < 1e-6 * dense[-1]
    assert sharp[-1]
    as_the_ith = np.abs(values - np.concatenate([dense[:5], dense[-5:]]))
    assert np.all(as_the_ith[sharp] <= bounds[sharp])


@pytest.mark.parametrize("steps", [2, 20])
def test_the_bound_holds_however_few_the_steps(steps):
    eigenvalues = np.linspace(-1, 1, 50)
    found = _at_zero(_quadratic(eigenvalues), 2, steps=steps)
    errors = np.abs(np.asarray(found.values)[:, None] - eigenvalues).min(axis=1)
    assert np.all(errors <= np.asarray(found.error_bounds))


@pytest.mark.slow
def test_smallest_largest_and_both_are_in_increasing_order():
    eigenvalues = np.arange(-5.0, 35.0)
    risk = _quadratic(eigenvalues)
    expected = {"smallest": [-5, -4], "largest": [33, 34], "both": [-5, -4, 33, 34]}
    for which, values in expected.items():
        np.testing.assert_allclose(_at_zero(risk, 2, which=which).values, values, atol=1e-12)


def test_vectors_are_unit_eigenvectors_of_the_structure_of_params():
    class Pair(lj.AbstractObjective):
        def __call__(self, params):
            return params["a"] ** 2 + jnp.sum(params["b"] ** 2 * jnp.array([2.0, 3.0]))

    found = extreme_eigenvalues(Pair(), {"a": jnp.ones(()), "b": jnp.ones(2)}, 2, key=KEY)
    np.testing.assert_allclose(found.values, [4, 6], atol=1e-14)
    np.testing.assert_allclose(found.vectors["a"], 0, atol=1e-14)
    np.testing.assert_allclose(np.abs(found.vectors["b"]), np.eye(2), atol=1e-14)


def test_a_multiple_eigenvalue_is_found_again_when_the_space_before_is_exhausted():
    # Two distinct eigenvalues: two steps span an invariant subspace.
    found = _at_zero(_quadratic([1.0] * 3 + [2.0] * 2), 5)
    np.testing.assert_allclose(found.values, [1] * 3 + [2] * 2, atol=1e-13)
    # The bound is rounding: √P eps ‖H‖, and as much of the residual.
    assert np.all(np.asarray(found.error_bounds) < 1e-13)


@pytest.mark.parametrize("size", [1, 5])
def test_as_many_steps_as_parameters_give_the_whole_spectrum(size):
    eigenvalues = np.linspace(-2, 1, size)
    found = _at_zero(_quadratic(eigenvalues), size)
    np.testing.assert_allclose(found.values, eigenvalues, atol=1e-13)


def test_the_spectrum_of_a_hessian_that_is_zero_is_zero():
    found = _at_zero(Quadratic(jnp.zeros((5, 5))), 5)
    np.testing.assert_array_equal(found.values, 0)
    np.testing.assert_array_equal(found.error_bounds, 0)


def test_a_hessian_that_is_not_finite_gives_nan():
    found = _at_zero(Quadratic(jnp.eye(5).at[1, 2].set(jnp.nan)), 5)
    assert np.isnan(found.values).all()
    assert np.isnan(found.error_bounds).all()


def test_float32_agrees_to_its_own_bound():
    eigenvalues = np.concatenate([np.linspace(-1, 1, 60), [3, 5]])
    found = _at_zero(_quadratic(eigenvalues, "float32"), 2)
    assert found.values.dtype == found.error_bounds.dtype == jnp.float32
    assert np.all(np.abs(found.values - np.array([3, 5])) <= found.error_bounds)
    assert np.all(np.asarray(found.error_bounds) < 1e-4)


def test_many_points_at_once_are_each_as_alone():
    risk = lj.PopulationRisk(jnp.eye(2))
    points = jnp.stack([lj.starts.gaussian((2, 2))(key) for key in jax.random.split(KEY, 6)])
    together = jax.vmap(lambda W: extreme_eigenvalues(risk, W, 3, key=KEY))(points)
    for W, values in zip(points, together.values, strict=True):
        np.testing.assert_allclose(values, lj.spectrum(risk, W)[-3:], atol=1e-13)


def test_it_compiles_once_for_a_shape():
    traces = []

    class Counted(lj.AbstractObjective):
        def __call__(self, params):
            traces.append(params.shape)
            return jnp.sum(params**4)

    extreme_eigenvalues(Counted(), jnp.ones(5), 2, key=jax.random.key(0))
    first = len(traces)
    for seed in (1, 2):
        extreme_eigenvalues(Counted(), jnp.ones(5), 2, key=jax.random.key(seed))
    assert len(traces) == first > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count is 0; give at least 1"),
        ({"count": 6}, "count is 6; .* at most 5 eigenvalues in all"),
        ({"count": 3, "which": "both"}, "count is 3; .* at most 5 eigenvalues in all"),
        ({"which": "middle"}, "which is 'middle'; it must be"),
        ({"steps": 1}, "steps is 1; 2 eigenvalues need at least as many"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, message):
    arguments = {"count": 2, **change}
    with pytest.raises(ValueError, match=message):
        _at_zero(_quadratic(np.ones(5)), **arguments)


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="the peak of memory is read where Linux tells it")
def test_a_million_parameters_on_ten_thousand_samples_take_bounded_memory():
    code = """
from pathlib import Path
import jax, jax.numpy as jnp
import landscape_jax as lj
from landscape_jax.critical.lanczos import extreme_eigenvalues
keys = jax.random.split(jax.random.key(0), 4)
x, y = jax.random.normal(keys[0], (10_000, 784)), jax.random.randint(keys[1], (10_000,), 0, 10)
network = lj.starts.network(lj.Mlp, (784, 900, 300, 100, 10))(keys[2])
risk = lj.EmpiricalRisk(x, y, criterion="cross_entropy", chunk=1000)
found = extreme_eigenvalues(risk, network, 3, steps=10, key=keys[3])
assert sum(leaf.size for leaf in jax.tree.leaves(network)) == 1_007_910
assert bool((found.error_bounds < 0.1 * found.values).all()), found[:2]
status = Path("/proc/self/status").read_text(encoding="utf-8")
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    # 39 MiB of Lanczos vectors, 30 of data, some tens of networks of 4 MiB, and JAX itself.
    assert float(done.stdout) / 1024 < 900

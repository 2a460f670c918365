"""The flops and bytes that the benchmarks predict are those that XLA counts."""

import importlib.util
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from landscape_jax.objectives.population import _students_in_xla

PLACE = Path(__file__).parents[1] / "benchmarks" / "roofline.py"


def _roofline():
    spec = importlib.util.spec_from_file_location("roofline", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("k", "n"), [(6, 6), (20, 20), (10, 20), (50, 50)])
def test_flops_of_a_step_are_those_that_xla_counts(k, n, dtype):
    roofline, dtype = _roofline(), jnp.dtype(dtype)
    V, lanes = jnp.eye(k, dtype=dtype), 16

    def step(W):
        ones = jnp.ones(len(W), W.dtype)
        return W - 0.1 * _students_in_xla(W, V, ones, jnp.ones(k, W.dtype))[1]

    shape = jax.ShapeDtypeStruct((lanes, n, k), dtype)
    found: Any = jax.jit(jax.vmap(step)).lower(shape).compile().cost_analysis()
    counted = found[0] if isinstance(found, list) else found
    assert counted["flops"] / lanes == pytest.approx(roofline.flops(n, k, dtype), rel=0.05)
    moved = roofline.bytes_moved(n, k, dtype, fused=False)
    assert counted["bytes accessed"] / lanes == pytest.approx(moved, rel=0.15)
    assert roofline.bytes_moved(n, k, dtype, fused=True) < moved


def test_predictions_say_which_limit_holds():
    roofline = _roofline()
    few = roofline.prediction(6, 6, 2**8, jnp.dtype("float64"))
    many = roofline.prediction(20, 20, 2**17, jnp.dtype("float64"))
    assert (few["limit"], many["limit"]) == ("launches", "memory, unfused")
    assert few["predicted"] >= few["arithmetic"]
    assert many["fused at best"] < many["predicted"]

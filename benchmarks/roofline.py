"""Flops and bytes of one step of descent of the ReLU risk, and a prediction from a device's limits.

Per run and step, n students, k teachers, d = k inputs, P = n + k neurons:

- two products of (n, d) with (d, P), 4nPd flops;
- for each of the nP pairs a polynomial of degree m (9 in float32, 20 in float64), 2m flops, and 24
  more for the sine, the supplement and their sums;
- at least 2nd numbers read and written, where a step is one program that keeps W on the chip; about
  10 nP + 11 Pd where each elementwise pass goes through memory (XLA on a CPU).

`tests/test_roofline.py` holds these against XLA's own count.
"""

from typing import Any

from landscape_jax.objectives.gaussian import angle_coefficients

# Of an H100 SXM5, from NVIDIA's data sheet: bytes and flops a second, without tensor cores; and a
# launch in a graph, a launch without one, as others have measured them (seconds).
H100 = {
    "bytes": 3.35e12,
    "flops": {"float32": 67e12, "float64": 34e12},
    "launch": 6.4e-6,
    "launch_in_graph": 0.6e-6,
}
# Kernels that XLA makes of a step: two products, and fused elementwise passes between them.
KERNELS = 10
_PAIR = 24


def flops(n: int, k: int, dtype: Any) -> float:
    """Return the flops of a run and step."""
    pairs = n * (n + k)
    return 4.0 * pairs * k + pairs * (_PAIR + 2 * (len(angle_coefficients(dtype)) - 1))


def bytes_moved(n: int, k: int, dtype: Any, *, fused: bool) -> float:
    """Return the bytes that a run and step moves."""
    pairs, neurons = n * (n + k), (n + k) * k
    return dtype.itemsize * (2.0 * n * k if fused else 10.0 * pairs + 11.0 * neurons)


def prediction(n: int, k: int, lanes: int, dtype: Any) -> dict[str, float | str]:
    """Predict the microseconds per run and step on an H100: nothing of it is measured."""
    times = {
        "arithmetic": flops(n, k, dtype) / H100["flops"][dtype.name],
        "memory, unfused": bytes_moved(n, k, dtype, fused=False) / H100["bytes"],
        "launches": KERNELS * H100["launch_in_graph"] / lanes,
    }
    limit = max(times, key=times.__getitem__)
    return {name: 1e6 * seconds for name, seconds in times.items()} | {
        "predicted": 1e6 * times[limit],
        "limit": limit,
        "fused at best": 1e6
        * max(times["arithmetic"], bytes_moved(n, k, dtype, fused=True) / H100["bytes"]),
    }

"""How many runs descend at a time where nobody says: by the backend and the parameters of a run."""

import jax

# On a CPU a batch that stays in the cache is fastest.
_ON_CPU = 128
# An accelerator wants as many as hide its launches: so many lanes up to so many parameters.  The
# numbers are predictions, by the bytes and launches of a step, until a device has measured them.
_ON_ACCELERATOR = ((64, 2**16), (512, 2**14), (4096, 2**12))
_FEWEST = 2**9
# A lane holds about this many bytes a parameter, pairs of neurons included, and lanes take at most
# this share of the device's memory.
_BYTES, _SHARE = 512, 0.25


def default_lanes(parameters: int) -> int:
    """Return how many runs of so many parameters descend at a time on the device in use.

    It is a fixed table, so that bits do not depend on the number of restarts; an accelerator with
    too little memory for it takes the next power of two that fits.

    ```python
    >>> default_lanes(36)
    128

    ```
    """
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    return lanes_of(device.platform, parameters, (stats or {}).get("bytes_limit"))


def lanes_of(platform: str, parameters: int, memory: int | None) -> int:
    """Return the lanes on a platform with so many bytes of memory, `None` if it does not tell.

    ```python
    >>> lanes_of("gpu", 400, 80 * 2**30), lanes_of("gpu", 400, 2**30)
    (16384, 1024)

    ```
    """
    if platform == "cpu":
        return _ON_CPU
    lanes = next((lanes for most, lanes in _ON_ACCELERATOR if parameters <= most), _FEWEST)
    while memory is not None and lanes > 1 and lanes * parameters * _BYTES > _SHARE * memory:
        lanes //= 2
    return lanes

"""Workers that a command's work is given to, by Dask."""

import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from landscape_jax.cli import inputs
from landscape_jax.cli.setting import cache_settings

# Seconds for which a scheduler is waited for.
_PATIENCE = 10


@contextmanager
def executor_of(workers: int | None, address: str | None) -> Iterator[Executor | None]:
    """Yield an executor on local workers, or on a scheduler's; `None` where none is asked."""
    if workers is None and address is None:
        yield None
        return
    if workers is not None and address is not None:
        inputs.refuse("give --workers, which starts some, or --dask, which joins others, not both")
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        option = "--workers" if address is None else "--dask"
        inputs.refuse(f"{option} needs Dask: pip install 'landscape-jax[cluster]'")
    if address is not None:
        try:
            client = Client(address, timeout=_PATIENCE)
        except (OSError, ValueError, TypeError) as error:
            inputs.refuse(f"--dask is {address!r}; no scheduler answers there ({error})")
        with client:
            if not client.nthreads():
                inputs.refuse(f"--dask is {address!r}; this scheduler has no workers, start some")
            yield client.get_executor()
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            env={name.upper(): str(value) for name, value in cache_settings().items()},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()

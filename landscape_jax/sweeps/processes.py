"""Several processes, on one machine or many, that share one piece of work."""

from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """The index of this process among `count` that work together; by default it is alone."""

    index: int = 0
    count: int = 1

    def share(self, items: list[Item]) -> list[Item]:
        """Return this process's part: every `count`-th item, so that neighbours are spread."""
        return items[self.index :: self.count]

    def wait(self, name: str) -> None:
        """Wait until all processes have reached the barrier of this name."""
        if self.count > 1:
            from jax.experimental.multihost_utils import sync_global_devices

            sync_global_devices(name)


ALONE = Processes()


def join(
    coordinator: str | None = None, processes: int | None = None, process: int | None = None
) -> Processes:
    """Join the processes that were started together; call it before any other use of JAX.

    **Arguments:** `coordinator`, HOST:PORT on the machine of process 0, `processes`, how many there
    are, and `process`, which one this is, from 0; all taken from the launcher (Slurm, Open MPI,
    Kubernetes, a TPU pod) where left out.

    **Returns:** this one's place among them.

    **Raises:** `ValueError` if no launcher is found, or the others cannot be reached.
    """
    import jax

    try:
        jax.distributed.initialize(coordinator, processes, process)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            "no other processes are found: start them by a launcher that JAX knows, or give "
            f"coordinator, processes and process ({str(error).splitlines()[0]})"
        ) from None
    return Processes(jax.process_index(), jax.process_count())

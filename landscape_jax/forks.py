"""A child forked from a process in which JAX runs would hang: it is told so instead."""

import os
import sys

_is_lost = False


def refuse_lost_child() -> None:
    """Refuse to work in a process that was forked after JAX had started.

    **Raises:** `RuntimeError` in such a process: JAX's threads are not in it, and are waited for.
    """
    if _is_lost:
        raise RuntimeError(
            "this process was forked from one in which JAX had started, and would hang; spawn it, "
            "as by multiprocessing.get_context('spawn')"
        )


def _notice_fork() -> None:
    global _is_lost
    bridge = sys.modules.get("jax._src.xla_bridge")
    _is_lost = bridge is not None and bridge.backends_are_initialized()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_notice_fork)

"""Proofs and verifications in several threads give what one thread gives, and change no setting."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import flint
import jax
import jax.numpy as jnp
import pytest
from threadpoolctl import threadpool_info

import landscape_jax as lj
from landscape_jax.exact.working_precision import working_precision


@pytest.fixture(scope="module")
def problem():
    risk = lj.PopulationRisk(jnp.eye(6))
    # This restart meets the one spurious minimum.
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 6), 6)
    runs = lj.restart(risk, lj.starts.gaussian((6, 6)), [225], key=key)
    point = next(f for f in lj.families(risk, runs) if f.kind == "spurious").representative
    return risk, point


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


@pytest.mark.parametrize(
    ("threads", "calls"), [(4, 4), pytest.param(8, 20, marks=pytest.mark.slow)]
)
def test_threads_prove_and_verify_what_one_does(problem, threads, calls):
    risk, point = problem
    before = flint.ctx.prec, blas_threads()
    proof = lj.prove_minimum(risk, point)
    assert isinstance(proof, lj.Certificate)
    told = lj.verify(proof, risk)
    others = threading.Barrier(threads)

    def work(number: int, proof: lj.Certificate = proof) -> set:
        others.wait()
        found = set()
        for call in range(calls):
            if (call + number) % 2:
                again = lj.prove_minimum(risk, point)
                assert isinstance(again, lj.Certificate)
                found.add((again.radius, again.value_lower, str(again.versions)))
            else:
                check = asdict(lj.verify(proof, risk)) | {"seconds": 0.0}
                found.add(str(check))
        return found

    with ThreadPoolExecutor(threads) as pool:
        found = set().union(*pool.map(work, range(threads)))
    assert found == {
        (proof.radius, proof.value_lower, str(proof.versions)),
        str(asdict(told) | {"seconds": 0.0}),
    }
    assert (flint.ctx.prec, blas_threads()) == before


def test_the_precision_of_one_thread_is_no_other_threads():
    inside, done = threading.Event(), threading.Event()
    seen = []

    def other():
        inside.wait()
        with working_precision(200):
            seen.append(flint.ctx.prec)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with working_precision(100):
        inside.set()
        assert not done.wait(0.2)
        assert flint.ctx.prec == 100
    thread.join()
    assert (seen, flint.ctx.prec) == ([200], 53)

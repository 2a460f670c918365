"""Mistakes in arguments get one clear line, in programs that no import hook checks too."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from landscape_jax.mistakes import explained, require, shown
from tests import fuzz_calls


def run(folder: Path, *arguments: object) -> dict:
    """Run the program that calls public functions in a folder, and return what it found."""
    found = subprocess.run(
        [sys.executable, fuzz_calls.__file__, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=folder,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    return json.loads(found.stdout)


def lines(found: dict) -> list[str]:
    return [" ".join(map(str, call.values())) for call in found["unclear"]]


def test_calls_whose_errors_were_once_unclear_get_one_line_that_names_the_argument(tmp_path):
    found = run(tmp_path, 0, 0)
    assert found["calls"] > 600
    assert lines(found) == []


@pytest.mark.slow
def test_3000_calls_with_wrong_arguments_get_one_line_that_names_one(tmp_path):
    found = run(tmp_path, 3000, 2026)
    assert lines(found) == []
    # Refused before the work: the others were right by chance.
    assert found["compiled"] <= 50


@pytest.mark.parametrize(
    ("value", "hint", "line"),
    [
        ("three", int, "n is 'three'; give an integer that int64 holds"),
        (True, int, "n is True; give an integer that int64 holds"),
        (2**63, int, "n is 9223372036854775808; give an integer that int64 holds"),
        ([1], float, "n is [1]; give a number"),
        (10**30, float | int, f"n is {10**30}; give a number or an integer that int64 holds"),
        (1, str, "n is 1; give a string without NUL"),
        ("a\0", str, r"n is 'a\x00'; give a string without NUL"),
        ("up", Literal["relu", "tanh"], "n is 'up'; give 'relu' or 'tanh'"),
        (3, Callable[[int], int], "n is 3; give a function"),
        ((1.0, "b"), tuple[float, float], "n is (1.0, 'b'); give 2 of: a number"),
        ("ab", Sequence[str], "n is 'ab'; give a sequence of: a string without NUL"),
        ([1, "b"], Sequence[int], "n is [1, 'b']; give a sequence of: an integer that int64 holds"),
        (1, str | None, "n is 1; give a string without NUL or None"),
        (3, type[int], "n is 3; give a class"),
        ([1.0], Float[Array, "a b"], "n is [1.0]; give an array of floats of shape (a, b)"),
        (
            np.zeros((2, 2), int),
            Float[np.ndarray, " rows"],
            "n is an array of int64 of shape (2, 2); give an array of floats of shape (rows)",
        ),
        (jax.random.key(0), float, "n is an array of key<fry> of shape (); give a number"),
        (len, int, "n is the function len; give an integer that int64 holds"),
        (dict, int, "n is the class dict; give an integer that int64 holds"),
        (list(range(100)), int, "n is of type list; give an integer that int64 holds"),
        (1, np.dtype, "n is 1; give a dtype, such as jnp.float32"),
        (1, list[int], "n is 1; give a sequence of: an integer that int64 holds"),
    ],
)
def test_a_mismatch_is_told_with_the_name_the_value_and_what_is_right(value, hint, line):
    with pytest.raises(TypeError) as caught:
        require("n", value, hint)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.int64(3), int), (2, float), (np.float32(2), float), (None, str | None),
        ([1, 2], Sequence[int]),
        ((1, 2.0), tuple[float, float]), ((1, 2, 3), tuple[int, ...]), ("tanh", Literal["tanh"]),
        (jnp.zeros((2, 3)), Float[Array, "a b"]), (print, Callable[..., None]), (int, type[int]),
        (jnp.float32, np.dtype), ("float64", np.dtype),
    ],
)  # fmt: skip
def test_what_matches_is_taken(value, hint):
    require("n", value, hint)


def test_only_the_first_mismatch_of_a_call_that_fails_is_told():
    @explained
    def longest(
        rows: Sequence[int],
        count: int,
        out: "Unknown | None" = None,  # pyright: ignore[reportUndefinedVariable]
    ) -> int:
        return max(rows) + count

    # Nothing fails: a string of digits is not looked at.
    assert longest([1, 2], 3, "anything") == 5
    with pytest.raises(TypeError, match=r"^count is '3'; give an integer that int64 holds$"):
        longest([1], "3")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="empty"):
        longest([], 3)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        longest([1])  # pyright: ignore[reportCallIssue]


def test_errors_of_ones_own_that_name_a_parameter_are_left_alone():
    @explained
    def call(function: Callable[[], None], count: int) -> None:
        function()

    def fails() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        call(fails, 3)


def test_shown_values_fit_into_a_line():
    assert shown("a\nb") == r"'a\nb'"
    assert shown(np.float64(0.1)) == "0.1"
    assert shown(jnp.int32(3)) == "3"
    assert "\n" not in shown(np.ones((3, 3), object))

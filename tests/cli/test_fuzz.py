"""Command lines of all kinds end in time: with a result, or with one line that names what is wrong.

Lines are drawn from a seed: valid ones of the smallest sizes, of which some parts are replaced,
repeated, misspelt or left out.
"""

import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from landscape_jax import machine

from .fuzz_files import ARRAYS, CSV, NPY, certificates, damaged, write_all
from .test_cli import COMMAND, call

# Of a process in KiB, and of a line.
MEMORY, SECONDS = 8 * 2**20, 60
PATHS = ["missing/a.csv", "folder.csv", "good.csv/x", ".", "", "x" * 300, "née.npy", "/dev/full"]
NUMBERS = [
    "-1", "0", "1.5", "1e3", "nan", "inf", "", " ", "0x10", "٣", "9" * 5000, "3000000000",
    "100000000000000000000000000", "many", "1,2", "--", "-", "é", "'", "\n", "a\nb",
]  # fmt: skip
LISTS = ["", ",", "1,,2", "2,2", "0", "-1", "1e999", "nan", "a,b", "1;2", "1.5", "9" * 5000]
TARGETS = ["", " ", "Y", "z", "a,b", "price", "x" * 5000, "y\n", "é", "--target"]
FOLDERS = ["used", "good.csv", "good.csv/x", "x" * 300, "lock", "manifest", "zero\0"]
SLOPES = ["abs", "1", "1,1", "0,1", "1,-1", "nan,0", "inf,1", "a,b", "rlu", ""]
SIZES = ["6", "6:", "0:3", "6:6:6", "99999:99999", "100000:1", "a:b", "-3:3", "6.0:6", ""]
FIGURES = ["ss18-9", "liu-2", "liu-a4a", "ss16-f", "--list=1", "SS18-1", "", "x" * 300, "é"]
PACKAGES = ["theori", "", "é", "x" * 300, "os", "theory.cell"]
NUMPY, ROWS, FILE = [*NPY, *ARRAYS, *PATHS], [*CSV, *PATHS], ("out.json", PATHS)
WEIGHTS = {f"--{name}-weights": ("vector.npy", NUMPY) for name in ("teacher", "student")}
# Of each command its arguments, the options that it needs and those that it may have, with a valid
# value and what else they are given.
Values = tuple[str, list[str]]
LINES: dict[str, tuple[list[Values], dict[str, Values], dict[str, Values]]] = {
    "table": (
        [("2:2", SIZES)],
        {"--restarts": ("2", NUMBERS)},
        {
            "--seed": ("0", NUMBERS),
            "--out": ("sweep", FOLDERS),
            "--json": FILE,
            "--dask": ("nowhere://x", ["", "x", "nowhere://x:1", "::", "é", "tcp://"]),
            "--workers": ("0", [n for n in NUMBERS if n.strip() != "1"]),
        },
    ),
    "width": (
        [("2", NUMBERS)],
        {"--extra": ("0", [*LISTS, "1000000000000"]), "--restarts": ("2", NUMBERS)},
        {
            "--scales": ("1", LISTS),
            "--activation": ("relu", ["", "rely", "RELU", "é", "x" * 300]),
            "--seed": ("0", NUMBERS),
            "--out": ("widths", FOLDERS),
            "--json": FILE,
            "--workers": ("0", [n for n in NUMBERS if n.strip() != "1"]),
        },
    ),
    "atlas": (
        [("2", SIZES)],
        {"--restarts": ("2", NUMBERS)},
        {
            "--points": ("good.csv", ROWS),
            "--seed": ("0", NUMBERS),
            "--out": ("atlas", FOLDERS),
            "--json": FILE,
            "--workers": ("0", [n for n in NUMBERS if n.strip() != "1"]),
        },
    ),
    "prove": (
        [("good.npy", NUMPY)],
        {},
        WEIGHTS
        | {
            "--teacher": ("good.npy", NUMPY),
            "--max-move": ("0.001", ["-1", "nan", "inf", "1e308", "", "x", "9" * 400]),
            "--out": ("proofs", FOLDERS),
            "--json": FILE,
        },
    ),
    "verify": (
        [("valid.json", [*certificates({}), "folder.json", *PATHS])] * 2,
        {},
        WEIGHTS | {"--teacher": ("good.npy", NUMPY)},
    ),
    "construct": (
        [("good.csv", ROWS)],
        {"--target": ("y", TARGETS)},
        {
            "--activation": ("relu", SLOPES),
            "--width": ("2", NUMBERS),
            "--out": ("built", FOLDERS),
            "--json": FILE,
        },
    ),
    "cells": (
        [("one.csv", ROWS)],
        {"--target": ("y", TARGETS), "--width": ("1", NUMBERS)},
        {"--limit": ("1000", NUMBERS), "--out": ("listed", FOLDERS), "--json": FILE},
    ),
    "basins": (
        [("one.csv", ROWS)],
        {"--target": ("y", TARGETS), "--widths": ("1", [*LISTS, "1000000000000"])},
        {
            "--starts": ("2", NUMBERS),
            "--eps": ("0.1", LISTS),
            "--seed": ("0", NUMBERS),
            "--json": FILE,
            "--workers": ("0", [n for n in NUMBERS if n.strip() != "1"]),
        },
    ),
    # No file that a figure can be drawn to.
    "figure": (
        [("ss18-1", FIGURES)],
        {"--out": ("figure.txt", PATHS)},
        {
            "--restarts": ("2", NUMBERS),
            "--seed": ("0", NUMBERS),
            "--size": ("2:2", SIZES),
            "--runs": ("runs", FOLDERS),
            "--samples": ("3", NUMBERS),
            "--normals": ("++++", ["+", "abcd", "", "+++++"]),
        },
    ),
    "names": ([("theory", PACKAGES)], {}, {}),
}


CSV_MESSAGES = {
    "semicolon.csv": "has semicolons between its columns; give a file with commas",
    "semicolon_decimal.csv": "has semicolons between its columns",
    "semicolon_quoted.csv": "has semicolons between its columns",
    "tab.csv": "has tabs between its columns",
    "spaces.csv": "has spaces between its columns",
    "bars.csv": "has bars between its columns",
    "pandas.csv": "as pandas writes an index; leave it out by to_csv(..., index=False)",
    "pandas_twice.csv": "a first column without a name, as pandas writes an index",
    "unnamed.csv": "has no name for column 2 in its first row",
    "trailing.csv": "has no name for column 4 in its first row",
    "no_header.csv": "has numbers in its first row; give the names of the columns there",
    "utf16.csv": "is not UTF-8 text (invalid start byte); save it as a CSV file in UTF-8",
    "utf16_unmarked.csv": "is not UTF-8 text (it has zero bytes)",
    "latin1.csv": "is not UTF-8 text",
    "ragged.csv": "line 3: 2 entries; there are 3 columns",
    "nan.csv": "line 2: column 'y' is not numeric, it has 'nan'",
    "gap.csv": "line 2: column 'b' is not numeric, it has ''",
    "digits.csv": "line 2: column 'b' has a number of 4301 characters; give at most 1000",
    "decimals.csv": "has a number of 4402 characters",
    "exponent.csv": "is not numeric, it has '1e99999'",
    "field.csv": "is not a CSV file: field larger than field limit",
    "unclosed.csv": "is not a CSV file: unexpected end of data",
    "twice.csv": "has two columns 'a'; give each its own name",
    "single.csv": "has no column but 'y'; give one for each input too",
    "empty.csv": "is empty; give a header row and a row for each sample",
    "folder.csv": "Is a directory",
    "absent.csv": "No such file or directory",
    "/dev/zero": "is larger than 67108864 bytes; give fewer samples",
}
NPY_MESSAGES = {
    "claim.npy": "not a .npy file of numbers: mmap length is greater than file size",
    "beyond.npy": "is not a .npy file of numbers: array is too big",
    "negative.npy": "is not a .npy file of numbers",
    "truth.npy": "is not a .npy file of numbers",
    "open.npy": "is not a .npy file of numbers",
    "unhashable.npy": "is not a .npy file of numbers",
    "cut.npy": "is not a .npy file of numbers: EOF",
    "zip.npy": "is an archive, as of .npz files, not one array; save it by numpy.save",
    "objects.npy": "is not a .npy file of numbers: Array can't be memory-mapped: Python objects",
    "integers.npy": "holds int64, not floating numbers; save array.astype(float)",
    "nans.npy": "holds a number that is not finite",
    "wide.npy": "has 1 neurons of 100000 inputs; a proof beside 100000 teachers may need",
    "folder.npy": "Is a directory",
}
# What once ended in a traceback, in an abort, after all the work, or in a line that did not help.
CORPUS = [
    *((f"construct {name} --target y", text) for name, text in CSV_MESSAGES.items()),
    *((f"prove {name}", text) for name, text in NPY_MESSAGES.items()),
    ("basins digits.csv --target y --widths 1", "characters; give at most 1000"),
    ("cells digits.csv --target y --width 1", "characters; give at most 1000"),
    ("cells good.csv --target Y --width 1", "has no column 'Y'; --target is one of a, b, y; did"),
    ("cells weights.csv --target y --width 1 --no-bias", "the weights of a network are beyond"),
    ("cells root.csv --target y --width 2 --no-bias", "beyond float64; scale x or y"),
    ("cells good.csv --target y --width 1000000000000 --global-only", "'--width'"),
    ("basins sum.csv --target y --widths 1", "y has a mean square that is not finite"),
    ("basins good.csv --target y --widths 1000000000000", "1000 starts of 1000000000000"),
    ("basins good.csv --target y --widths 1 --starts 10000000000000000000000000", "'--starts'"),
    ("construct good.csv --target y --width 100000000000000000000", "'--width'"),
    ("construct good.csv --target y --activation rlu", "did you mean 'relu'?"),
    ("construct good.csv --target y --json good.csv", "is to be read too; give another file"),
    ("construct good.csv --target y --json LONG", "File name too long"),
    ("construct good.csv --target y --json good.csv/x", "good.csv is no directory; make it first"),
    ("construct good.csv --target y --json=", "--json is empty; give a value"),
    ("construct good.csv --target y --json /dev/full", "is a device or a pipe; give a file"),
    ("construct good.csv --target y --out LONG", "File name too long"),
    ("prove good.npy --json good.npy", "is to be read too"),
    ("prove good.npy --teacher stack.npy --json stack.npy", "is to be read too"),
    ("table 6:6 --restarts 3000000000", "'--restarts'"),
    ("table 6:6 --restarts 2147483647", "the indices of 2147483647 restarts may need 32.0 GiB"),
    ("table 99999:99999", "the points of 99999:99999 may need 37326.7 GiB of memory"),
    ("table 300:300", "the Hessian at an end of 300:300 may need 60.3 GiB of memory"),
    ("table 100000:3", "give K:N, two whole numbers of 1 to 99999"),
    ("table 2:2 --out LONG", "File name too long"),
    # Not "lock", in which a drawn line may have put certificates.
    ("table 2:2 --out locked", "locked/.landscape-jax-lock is a directory; remove it"),
    ("table 2:2 --out manifest", "manifest/landscape-jax-sweep.json is no file"),
    ("table 2:2 --workers 0", "'--workers'"),
    ("table 2:2 --dask nowhere://x", "no scheduler answers there"),
    ("table 2:2 --restart 3", "--restarts"),
    ("width 2 --extra 0,x", "--extra is '0,x'; give whole numbers of at least 0"),
    ("width 2 --extra -1", "--extra is '-1'"),
    ("width 2 --scales 0", "--scales is '0'; give positive numbers"),
    ("width 2 --scales 1,1", "give each number once"),
    ("width 2 --activation rely", "--activation is 'rely'; give one of"),
    ("width 2 --activation erf --both", "--both needs --activation relu, not erf"),
    ("width 2 --mixed", "--mixed needs --out"),
    ("width 2 --extra 99999", "the Hessian at an end of 2:100001 may need"),
    ("width 0", "'0' is not a number K of teachers; give a whole number"),
    ("tabel 2:2", "Did you mean 'table'?"),
    ("names theory.cell", "did you mean 'theory.cells'?"),
]  # fmt: skip


LONG = {
    "table": ("2:2", "--restarts"),
    "width": ("2", "--extra", "--restarts"),
    "atlas": ("2", "--restarts"),
    "names": ("theory",),
}


def draw(rng: random.Random) -> list[str]:
    """Draw a command line that is wrong in one to three ways, or, seldom, in none."""
    command = rng.choice(list(LINES))
    arguments, needed, more = LINES[command]
    places = [([value], bad) for value, bad in arguments]
    chosen = needed | {
        name: more[name] for name in rng.sample(list(more), rng.randint(0, 2) % (len(more) + 1))
    }
    places += [([name, value], bad) for name, (value, bad) in chosen.items()]
    # What takes long without a value: all default sizes of a table, and all packages.
    long = [place for place, _ in places if place[0] in LONG.get(command, ())]
    for _ in range(0 if rng.random() < 0.02 else rng.choice((1, 1, 1, 2, 2, 3))):
        place, bad = rng.choice(places)
        kept = any(place is one for one in long)
        match 9 if kept else rng.randrange(10):
            case 0:
                place.clear()
            case 1:
                place[:1] = [text[:-1] for text in place[:1]]
            case 2:
                extra = rng.choice(["--nothing", "--jsn", "-x", "extra", "--out="])
                places.append(([extra], [""]))
            case 3:
                del place[-1:]
            case _:
                place[-1:] = [rng.choice(bad)]
    if rng.random() < 0.03:
        command = rng.choice(["tables", "", "verfy", "é", "x" * 300])
    return [command, *(text for place, _ in places for text in place)]


def drawn(seed: int, count: int) -> list[list[str]]:
    rng = random.Random(seed)
    return [draw(rng) for _ in range(count)]


def complaint(line: list[str], code: int, stdout: str, stderr: str) -> str | None:
    """Return what is wrong with the end of a command, `None` for nothing."""
    if "Traceback" in stdout + stderr:
        return "a traceback"
    if code in (0, 1) and not stderr:
        return None if code == 0 or line[0] == "verify" else "exit code 1"
    if code != 2:
        return f"exit code {code}"
    if line[0] == "verify" and stdout:
        begins = ("holds: ", "does not hold: ", "unusable: ")
        good = not stderr and all(text.startswith(begins) for text in stdout.splitlines())
        return None if good else "a line that tells nothing"
    # Only what the system refuses in the end comes after a result.
    if stdout and "No space left" not in stderr:
        return "a result"
    if stderr.count("\n") != 1 or not stderr.startswith("landscape-jax: "):
        return "not one line"
    given = [word[:2] if word[:1] == "-" != word[1:2] else word for word in line]
    texts = [text for word in given for text in (word, word.rstrip("="), repr(word)[1:-1])]
    named = any(text.strip()[:30] in stderr for text in texts if text.strip())
    # What was left out is named too.
    _, needed, more = LINES.get(line[0], ([], {}, {}))
    left_out = any(name in stderr for name in ("Missing", "name one", "argument", *needed, *more))
    return None if named or left_out else "a line that names nothing"


class _TooLong(BaseException):
    pass


def _stop(*_: object) -> None:
    raise _TooLong


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("fuzz")
    write_all(place)
    for line in (
        ["prove", place / "good.npy"],
        ["construct", place / "good.csv", "--target", "y"],
        ["cells", place / "one.csv", "--target", "y", "--width", 1],
    ):
        assert call(*line, "--out", place / "made").exit_code == 0
    valid = json.loads((place / "made" / "point-0000.json").read_text())
    for name, content in certificates(valid).items():
        (place / name).write_text(content)
    return place


@pytest.fixture(autouse=True)
def limited(monkeypatch) -> Iterator[None]:
    """Stop lines that take too long, and give the machine the memory that messages tell."""
    monkeypatch.setattr(machine, "_memory", lambda: 2.0**34)
    before = signal.signal(signal.SIGALRM, _stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def in_process(line: list[str]) -> str | None:
    """Return what is wrong with the end of a command in this process."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    result = call(*line)
    signal.setitimer(signal.ITIMER_REAL, 0)
    why = complaint(line, result.exit_code, result.stdout, result.stderr)
    if not isinstance(result.exception, SystemExit | None):
        why = repr(result.exception)[:300]
    return f"{why}: {line} {result.stderr[:300]}" if why else None


def as_process(folder: Path, line: list[str]) -> str | None:
    """Return what is wrong with the end of a command of bounded memory in a process of its own."""
    done = subprocess.run(
        ["sh", "-c", f'ulimit -v {MEMORY}; exec "$@"', "sh", *COMMAND, *line],
        cwd=folder,
        env=os.environ | {"MALLOC_ARENA_MAX": "2"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
    )
    why = complaint(line, done.returncode, done.stdout, done.stderr)
    return f"{why}: {line} {done.stderr[-300:]}" if why else None


@pytest.mark.parametrize(
    ("seed", "count"), [(200, 100), pytest.param(2, 1000, marks=pytest.mark.slow)]
)
def test_lines_end_with_a_result_or_with_one_line_that_names_what_is_wrong(
    folder, monkeypatch, seed, count
):
    monkeypatch.chdir(folder)
    assert [why for line in drawn(seed, count) if (why := in_process(line))] == []


@pytest.mark.parametrize(("text", "message"), CORPUS)
def test_what_once_failed_is_refused_with_a_remedy(folder, monkeypatch, text, message):
    monkeypatch.chdir(folder)
    line = [part.replace("LONG", "x" * 256) for part in text.split()]
    result = call(*line)
    assert complaint(line, result.exit_code, result.stdout, result.stderr) is None
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.slow
def test_processes_end_in_time_and_within_their_memory(folder):
    lines = [[text for text in line if "\0" not in text] for line in drawn(3, 30)]
    with ThreadPoolExecutor(2) as pool:
        ended = pool.map(lambda line: as_process(folder, line), lines)
        assert [why for why in ended if why] == []


@pytest.mark.parametrize("count", [50, pytest.param(300, marks=pytest.mark.slow)])
def test_damaged_files_are_read_or_refused_in_one_line(folder, monkeypatch, tmp_path, count):
    monkeypatch.chdir(tmp_path)
    rng = random.Random(count)
    lines = {
        "good.csv": ["construct", "damaged.csv", "--target", "y"],
        "good.npy": ["prove", "damaged.npy"],
        "made/point-0000.json": ["verify", "damaged.json"],
        "made/spurious-minimum.json": ["verify", "damaged.json"],
        "made/minimum-0000.json": ["verify", "damaged.json"],
    }
    wrong = []
    for _ in range(count):
        source = rng.choice(list(lines))
        content = damaged((folder / source).read_bytes(), rng)
        (tmp_path / lines[source][1]).write_bytes(content)
        if why := in_process(lines[source]):
            wrong.append(f"{why} {content[:300]!r}")
    assert wrong == []

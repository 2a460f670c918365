"""The atlas: listed points and ends of descents, each proven, and its command."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from landscape_jax.cli import app
from landscape_jax.files import StorageError
from landscape_jax.proofs import verify
from landscape_jax.studies import atlas
from tests.proofs.symmetric_points import POINTS, proven

HEADER = "k,class,multiplicity,blocks,values,teacher_blocks\n"


def _listed(name, number=0):
    blocks, teachers, *_ = POINTS[name]
    values = proven(name).values
    return atlas.ListedPoint(number, 5, tuple(blocks), tuple(teachers), values)


def _line(point):
    values = ";".join(" ".join(map(repr, row)) for row in point.values.tolist())
    sizes = [" ".join(map(str, sizes)) for sizes in (point.blocks, point.teacher_blocks)]
    return f"{point.k},{point.number},{point.count},{sizes[0]},{values},{sizes[1]}\n"


def _reference():
    """The published classes, in a directory that is named by an environment variable."""
    place = os.environ.get("LANDSCAPE_JAX_REFERENCE")
    path = Path(place or "") / "safran2021_minima_k06_k20.csv"
    if not place or not path.is_file():
        pytest.skip("LANDSCAPE_JAX_REFERENCE names no directory with the published classes")
    return path


def test_listed_points_are_proven_and_kept(tmp_path):
    points = [_listed(name, i) for i, name in enumerate(POINTS)]
    points.append(atlas.ListedPoint(0, 9, (7,), (7,), np.array([[1.0, 0.0]])))
    seen = []
    found = atlas.of_points(points, out=tmp_path / "out", progress=lambda *x: seen.append(x))
    assert seen[-1] == (len(points) - 1, len(points))
    for row, name in zip(found, POINTS, strict=False):
        *_, kind, index = POINTS[name]
        assert (row.kind, row.index, row.proven, row.count) == (kind, index, True, 5)
        assert verify(row.certificate or "")
    assert (found.rows[-1].kind, found.rows[-1].value_upper) == ("global", 0.0)
    assert found.summary() == "9 classes: 1 global, 4 spurious, 4 saddle"
    again = atlas.of_points(points, out=tmp_path / "out")
    assert [row.kind for row in again] == [row.kind for row in found]
    with pytest.raises(StorageError, match="points"):
        atlas.of_points(points[1:], out=tmp_path / "out")


def test_points_without_proof_have_a_reason():
    wrong = atlas.ListedPoint(0, 1, (1, 5), (1, 5), np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 0.0]]))
    stray = atlas.ListedPoint(1, 1, (1, 5), (1, 5), proven("one flipped, k = 6").values + 0.5)
    many = atlas.ListedPoint(2, 1, (1,) * 60, (1,) * 60, np.zeros((60, 61)))
    found = atlas.of_points([wrong, stray, many])
    assert [row.proven for row in found] == [False] * 3
    assert found.rows[1].reason == "values has entries other than 0 that belong to no unknown."
    assert found.rows[2].reason == "its blocks leave more than 60 unknowns."
    assert found.summary() == "3 classes: 3 not proven"


def test_a_global_minimum_of_more_students_is_exhibited():
    # Teacher 1 is shared by two students.
    values = np.array([[0.25, 0.75, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    point = atlas.ListedPoint(0, 1, (1, 1, 1), (1, 1), values[:, :4])
    (row,) = atlas.of_points([point])
    assert (row.kind, row.value_upper, row.n, row.k) == ("global", 0.0, 3, 2)


def test_ends_of_descents_are_classes_with_blocks(tmp_path):
    found = atlas.of_sizes([(6, 6), (8, 9)], restarts=150, out=tmp_path / "runs")
    kinds = {(row.k, row.n, row.kind, tuple(sorted(row.blocks))) for row in found}
    assert (6, 6, "global", (6,)) in kinds
    assert all(row.proven for row in found)
    assert sum(row.count for row in found if row.k == 6) == 150
    for row in found:
        assert verify(row.certificate or ""), row
    again = atlas.of_sizes([(6, 6), (8, 9)], restarts=150, out=tmp_path / "runs")
    assert [(r.kind, r.count, r.value_upper) for r in again] == [
        (r.kind, r.count, r.value_upper) for r in found
    ]


def test_the_command_proves_a_list_and_writes_json(tmp_path):
    path, target = tmp_path / "points.csv", tmp_path / "atlas.json"
    points = [_listed("one flipped, k = 5"), _listed("two flipped and their mean, k = 17", 3)]
    path.write_text(HEADER + "".join(map(_line, points)))
    command = ["atlas", "--points", str(path), "--json", str(target), "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "2 classes: 2 saddle"
    rows = json.loads(target.read_text())["rows"]
    assert list(rows[0]) == [
        "k", "n", "class", "blocks", "teacher_blocks", "count", "kind", "index", "proven",
        "reason", "value_lower", "value_upper", "min_eigenvalue_lower", "seconds", "certificate",
    ]  # fmt: skip
    assert [(r["k"], r["n"], r["class"], r["kind"], r["index"]) for r in rows] == [
        (5, 5, 0, "saddle", 3), (17, 18, 3, "saddle", 1),
    ]  # fmt: skip
    assert verify(rows[1]["certificate"])


def test_the_command_searches_sizes():
    done = CliRunner().invoke(app, ["atlas", "3:4", "--restarts", "20"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == "1 class: 1 global"


MISTAKES = [
    ("", "has no column 'k'"),
    ("a,b\n1,2\n", "has no column 'k'"),
    (HEADER, "has no points; give a line for each"),
    (HEADER + "6,0,1,6\n", "line 2: it has more or fewer columns than the header"),
    (HEADER + "6,0,1,6,1 0,6,7\n", "line 2: it has more or fewer columns than the header"),
    (HEADER + "6,0,1,x,1 0,\n", "line 2: blocks is 'x'; give a whole number"),
    (HEADER + "6,0,1,,1 0,\n", "line 2: blocks is ''; give sizes such as 1 6"),
    (HEADER + "6,0,1,0 6,1 0,\n", "line 2: blocks is '0 6'; give sizes such as 1 6"),
    (HEADER + "7,0,1,6,1 0,\n", "line 2: k is 7, but the teachers' blocks have 6"),
    (HEADER + "6,0,1,6,1 z,\n", "line 2: values is '1 z', not rows of numbers"),
    (HEADER + "6,0,1,6,1 nan,\n", "line 2: values must be 1 rows of 2 finite numbers"),
    (HEADER + "6,0,1,6,1 0;2 0,\n", "line 2: values must be 1 rows of 2 finite numbers"),
    (HEADER + "6,-1,1,6,1 0,\n", "line 2: class is '-1'; give a whole number"),
    (HEADER + '6,0,1,"6', "is not a CSV file"),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_file_that_is_no_list_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "points.csv"
    path.write_text(text)
    done = CliRunner().invoke(app, ["atlas", "--points", str(path)])
    assert done.exit_code == 2
    assert message in done.output.replace("\n", " ")
    assert len(done.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["6", "--points", "x.csv"], "--points takes no sizes and no search's options"),
        (["--mixed"], "--mixed needs --out"),
        (["6:"], "'6:' is not a size"),
        (["--points", "none.csv"], "none.csv: No such file or directory"),
    ],
)
def test_mistakes_of_the_command_are_one_line(arguments, message):
    done = CliRunner().invoke(app, ["atlas", *arguments])
    assert done.exit_code == 2
    assert message in done.output


def test_the_published_classes_are_proven():
    path = _reference()
    found = atlas.of_points(atlas.read_points(path))
    with open(path, encoding="utf-8") as stream:
        published = list(csv.DictReader(stream))
    assert found.summary() == "104 classes: 15 global, 89 spurious"
    for row, line in zip(found, published, strict=True):
        if row.kind == "spurious":
            assert row.value_upper is not None
            assert row.min_eigenvalue_lower is not None
            assert abs(row.value_upper - float(line["value"])) < 1e-13
            assert abs(row.min_eigenvalue_lower - float(line["min_eigenvalue"])) < 1e-8


def test_a_number_is_no_path_and_no_file_of_the_process_is_closed():
    with pytest.raises(TypeError, match="path is 2; give"):
        atlas.read_points(2)  # type: ignore[arg-type]
    os.fstat(2)


def test_the_figures_show_each_class_once(tmp_path):
    from matplotlib.figure import Figure

    for sizes in ([(8, 8)], [(2, 2)]):
        data = atlas.families_in_k(sizes, restarts=60, out=tmp_path / "runs")
        assert set(data.fixed.values) == ({"1"} if sizes == [(8, 8)] else set())
        for name in atlas.FIGURES:
            axes = Figure().subplots()
            atlas.FIGURES[name].draw(data, axes)
            points = sum(np.size(line.get_xdata()) for line in axes.lines)
            assert points == data.sizes["class"]

"""The study of width: its counts, what it shows, and that it can be killed and resumed."""

import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

import landscape_jax as lj
from landscape_jax.files import StorageError
from landscape_jax.studies import ss18, width
from landscape_jax.studies.width import width_report, width_rows
from landscape_jax.sweeps import chunks
from landscape_jax.sweeps.proven import prove_families


@pytest.fixture(autouse=True)
def chunks_of_twelve(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 12)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory and the rows of an undisturbed study."""
    out = tmp_path_factory.mktemp("width")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", 12)
        return out, width.table([8], [0, 1], 24, out=out)


def timeless(rows):
    ends = [tuple(replace(end, certificate=None) for end in row.ends) for row in rows]
    return [
        asdict(replace(row, seconds=0.0, search_seconds=0.0, ends=end))
        for row, end in zip(rows, ends, strict=True)
    ]


def test_every_run_is_counted_once(whole):
    for row in whole[1].rows:
        parts = row.global_runs + row.spurious + row.undecided + row.unfinished
        assert parts == row.restarts
        assert row.interval[0] <= row.share_global <= row.interval[1]


def test_the_runs_of_as_many_students_as_teachers_are_those_of_the_published_protocol(whole):
    mine, theirs = whole[1].rows[0], ss18.table([(8, 8)], 24).rows[0]
    assert (mine.spurious, mine.proven) == (theirs.above, theirs.proven)
    assert [end.value for end in mine.ends] == [end.value for end in theirs.ends]
    assert mine.published is ss18.PUBLISHED[8, 8]
    assert mine.p_value == theirs.p_value


def test_a_neuron_added_to_a_spurious_minimum_leaves_a_saddle_of_index_k_minus_1(whole):
    (fate,) = whole[1].rows[0].survival
    assert fate.growth < 0
    assert {split.index for split in fate.splits} == {7}
    assert {split.flat for split in fate.splits} == {1}
    # Split where it is flipped, the risk falls to the spurious minimum with one more neuron.
    assert fate.ends(4) == {0.0009: 14, 0.0206: 2}


def test_steps_to_lower_values_are_more(whole):
    for row in whole[1].rows:
        medians = [pair[0] for pair in row.steps_to]
        assert medians == sorted(medians)
        assert row.steps == row.steps_to[-1]


def test_finished_rows_are_read_again(whole):
    start = time.perf_counter()
    again = width.table([8], [0, 1], 24, out=whole[0])
    assert again.rows == whole[1].rows
    assert time.perf_counter() - start < 5


def test_fewer_restarts_of_a_directory_count_these_alone(whole):
    some = width.table([8], [1], 12, out=whole[0]).rows[0]
    assert timeless([some]) == timeless(width.table([8], [1], 12).rows)


def test_a_directory_is_of_one_kind_of_students_and_of_any_scales(whole, tmp_path):
    with pytest.raises(StorageError, match="activation relu, not erf"):
        width.table([8], [0], 24, activation="erf", out=whole[0])
    two = width.table([2], [1], 12, scales=[0.5, 2.0], out=tmp_path / "scales")
    assert [row.students.scale for row in two.rows] == [0.5, 2.0]
    assert two.rows[0].steps != two.rows[1].steps
    assert width.table([2], [1], 12, scales=[2.0], out=tmp_path / "scales").rows == two.rows[1:]


@pytest.mark.slow
def test_runs_below_the_threshold_descend_on_until_a_line_falls_to_a_minimum():
    # From some ends of (15, 17) the risk rises on the straight line to the minimizer nearby.
    risk = lj.PopulationRisk(jnp.eye(15))
    runs = lj.restart(
        risk, lj.starts.gaussian((17, 15)), 64, key=jax.random.key(0), levels=width.LEVELS
    ).map(np.asarray)
    assert runs.is_below_value.all()
    kinds = {family.kind: family.count for family in lj.families(risk, runs)}
    assert kinds["undecided"] > 0
    row = width.table([15], [2], 24).rows[0]
    assert row.global_runs == 24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"trained": "both"}, (3, 1)),
        ({"activation": "erf"}, (2, 1)),
        ({"activation": "tanh"}, (2, 0)),
        ({"activation": "leaky"}, (3, 1)),
        ({"precision": "float32"}, (3, 1)),
    ],
    ids=lambda given: str(given),
)
def test_other_students_are_counted_too(settings, size):
    row = width.table([size[0]], [size[1]], 12, **settings).rows[0]
    assert row.global_runs + row.spurious + row.undecided + row.unfinished == 12
    assert row.global_runs > 0
    assert row.published is None
    assert all(end.proven or end.reason for end in row.ends)


@pytest.mark.slow
def test_spurious_minima_of_both_layers_are_proven():
    # With all second-layer weights positive the minima are those of the first layer alone, of which
    # this restart meets one.
    risk = lj.JointRisk(jnp.eye(6))
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), 6), 6)
    runs = lj.restart(lj.PopulationRisk(jnp.eye(6)), lj.starts.gaussian((6, 6)), [225], key=key)
    W = runs.params[0]
    net = lj.TwoLayer(2 * W, jnp.full((1, 6), 0.5))
    found = lj.families(risk, jax.tree.map(lambda leaf: leaf[None], net))
    assert found[0].kind in ("minimum", "spurious")
    (proven,) = prove_families(risk, found)
    assert proven.outcome == "spurious"


def test_as_many_restarts_are_needed_as_the_share_asks_for():
    for share in (1e-4, 0.01, 0.3, 0.999):
        count = width_rows._needed(share) or 0
        assert (1 - share) ** count <= 0.01 < (1 - share) ** (count - 1)
    assert (width_rows._needed(0.0), width_rows._needed(1.0)) == (None, 1)


COMMAND = [sys.executable, "-m", "landscape_jax", "width", "5", "--extra", "0,1"]
COMMAND += ["--restarts", "1200"]


def _rows(path):
    known = json.loads(path.read_text())
    times = ("seconds", "search_seconds", "seconds_to_global")
    for part in (*known["rows"], *known["details"]):
        for name in times:
            part.pop(name, None)
        for end in part.get("families", []) if isinstance(part.get("families"), list) else []:
            end["certificate"] = None
    return known


@pytest.mark.slow
def test_a_command_killed_five_times_and_two_workers_give_the_same_rows(tmp_path):
    plain, after, workers = (tmp_path / f"{name}.json" for name in ("plain", "after", "workers"))
    begin = time.perf_counter()
    subprocess.run([*COMMAND, "--json", plain], check=True, capture_output=True)
    whole = time.perf_counter() - begin
    out = tmp_path / "out"
    generator = random.Random(0)
    for _ in range(5):
        work = subprocess.Popen(
            [*COMMAND, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(whole * generator.uniform(0.2, 0.8))
        work.kill()
        work.wait()
    subprocess.run([*COMMAND, "--out", out, "--json", after], check=True, capture_output=True)
    assert _rows(after) == _rows(plain)
    # Of the first size alone.
    command = [*COMMAND, "--extra", "0", "--workers", "2", "--json", workers]
    subprocess.run(command, check=True, capture_output=True)
    expected = _rows(plain)
    for part in ("rows", "details"):
        expected[part] = expected[part][:1]
    assert _rows(workers) == expected


def test_the_report_names_what_is_left_open(whole):
    lines = list(width_report.lines(whole[1]))
    assert lines[0].startswith("8:8 minimum 0.02151 and one more neuron: grown from 0 at the rate")
    assert "14 of 16 descents end below 0.001, 2 at 0.02056" in lines[0]
    assert lines[-1] == "relu, first layer trained, on cpu: 5 of 5 spurious runs are proven."
    row = replace(whole[1].rows[1], below=5, global_runs=19)
    (line, _) = width_report.lines(replace(whole[1], rows=(row,)))
    assert line.startswith("8:9 undecided: 5 of 24 runs fell below the threshold")


@pytest.mark.parametrize(
    ("risk", "W", "message"),
    [
        (lj.PopulationRisk(np.eye(2), activation="erf"), np.eye(2), "risk has the activation erf"),
        (lj.PopulationRisk(np.eye(2), student_weights=[1.0, 2.0]), np.eye(2), "risk has student_w"),
        (lj.PopulationRisk(np.eye(2)), np.diag([1.0, 0.0]), "W has a neuron of length 0"),
        (lj.PopulationRisk(np.eye(2)), np.eye(3), "W has shape"),
        (lj.PopulationRisk(np.eye(2)), np.full((2, 2), np.nan), "W has NaN"),
    ],
)
def test_what_no_neuron_can_be_added_to_is_refused(risk, W, message):
    with pytest.raises(ValueError, match=message):
        width.survival(risk, W)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"teachers": [0]}, "teachers is 0; it must be at least 1"),
        ({"extra": [-1]}, "extra is -1; it must be at least 0"),
        ({"teachers": []}, "sizes is empty"),
        ({"trained": "last"}, "trained is 'last'; "),
        ({"trained": "both", "activation": "erf"}, "trained is 'both' with the activation 'erf'"),
        ({"scales": []}, "scales is empty"),
        ({"scales": [0.0]}, "scales is 0.0; it must be a positive number"),
        ({"scales": [1.0, 1.0]}, "give each scale once"),
        ({"precision": "half"}, "precision is 'half'; "),
        ({"activation": "rely"}, "activation is 'rely'; it must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        width.table(**{"teachers": [2], "extra": [0], "restarts": 2} | arguments)


def test_figures_show_the_studys_rows(whole):
    sizes = [(8, 8), (8, 9)]
    data = width.shares(sizes, 24, out=whole[0])
    rows = whole[1].rows
    assert data.share.values.tolist() == [row.share_global for row in rows]
    np.testing.assert_allclose(data.published.values, [0.874, 0.999])
    ends = width.survivals(sizes, 24, out=whole[0])
    assert sorted(ends.values) == sorted(
        value for split in rows[0].survival[0].splits for value in split.ends
    )
    for name, labelled in (("width-share", data), ("width-time", data), ("width-survival", ends)):
        axes = Figure().add_subplot()
        assert width.FIGURES[name].draw(labelled, axes) is axes
        assert axes.get_legend() is not None


def test_a_figure_of_no_spurious_minimum_is_empty_but_drawn():
    ends = width.survivals([(2, 2)], 4)
    assert ends.sizes == {"descent": 0}
    assert width.FIGURES["width-survival"].draw(ends, Figure().add_subplot()).lines

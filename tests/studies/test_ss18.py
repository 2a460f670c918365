import json
from dataclasses import replace
from io import StringIO

import jax
import numpy as np
import pytest
from rich.console import Console

import landscape_jax as lj
from landscape_jax import machine
from landscape_jax.cli.grids import grids
from landscape_jax.files import StorageError
from landscape_jax.studies import ss18
from landscape_jax.studies.ss18 import report, study
from landscape_jax.sweeps import chunks, proven
from landscape_jax.sweeps.proven import Proven

SIZE, RESTARTS = (8, 8), 24


@pytest.fixture(autouse=True)
def chunks_of_twelve(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 12)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the directory and the table of an undisturbed run."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", 12)
        return out, ss18.table([SIZE], RESTARTS, out=out)


def numbers(table):
    """Give a table without its times, and without where its files are."""
    ends = [tuple(replace(t, certificate=None) for t in row.ends) for row in table.rows]
    return [replace(row, seconds=0.0, ends=t) for row, t in zip(table.rows, ends, strict=True)]


def files(out):
    """Give what is finished in a sweep's directory: its files' names, inodes and times."""
    found = [p for p in out.rglob("*") if p.suffix in (".zarr", ".json")]
    found = [p for p in found if all(q.suffix != ".zarr" for q in p.parents)]
    return {str(p.relative_to(out)): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def row(spurious=126, restarts=1000, size=(8, 8), **changes):
    end = Proven(spurious, 2, "spurious", 0.0215, 1e-16, 0.0213, "spurious", None)
    ends = (replace(end, **changes),) if spurious else ()
    return ss18.Row(size[0], size[1], restarts, ends, 1.0)


def test_the_published_tables_have_26_rows():
    assert len(ss18.PUBLISHED) == 26
    assert ss18.PUBLISHED[17, 18].spurious == 233
    assert ss18.PUBLISHED[20, 20].spurious == 949


def test_a_row_counts_spurious_as_proven_plus_unproven():
    both = row()
    lost = Proven(14, 5, "nonfinite", None, None, None, "undecided", "it is not finite.")
    minima, saddles = (
        replace(lost, count=c, outcome=o) for c, o in ((3, "minimum"), (2, "saddle"))
    )
    both = replace(both, ends=(*both.ends, lost, minima, saddles))
    assert (both.spurious, both.proven, both.unproven, both.families) == (145, 126, 19, 4)
    assert both.unproven == both.minima + both.saddles + both.undecided
    assert (both.above, both.minima, both.saddles, both.undecided) == (145, 3, 2, 14)
    both = replace(both, ends=both.ends[:2])
    assert both.percent_spurious == pytest.approx(14.0)
    assert both.mean_objective == pytest.approx(0.0215)


def test_means_weigh_families_by_their_runs():
    ends = (*row(3, min_eigenvalue=0.1).ends, *row(1, min_eigenvalue=0.5).ends)
    assert replace(row(), ends=ends).mean_min_eigenvalue == pytest.approx(0.2)


def test_a_row_without_spurious_runs_has_no_means():
    none = row(0)
    assert none.mean_objective is None
    assert none.mean_min_eigenvalue is None
    assert none.percent_interval[0] == 0
    # 1 - 0.025^(1/1000)
    assert none.percent_interval[1] == pytest.approx(0.36821, abs=1e-5)


@pytest.mark.parametrize(("spurious", "agrees"), [(126, True), (100, True), (60, False)])
def test_shares_agree_unless_fishers_test_rejects_them(spurious, agrees):
    assert row(spurious).agrees is agrees


def test_a_size_that_was_not_published_has_no_comparison():
    other = row(size=(3, 3))
    assert (other.published, other.p_value, other.agrees) == (None, None, None)
    assert other.details()["published"] is None


def test_the_table_is_json(whole):
    content = json.loads(json.dumps(whole[1].to_json(), allow_nan=False))
    names = "k n restarts spurious proven unproven percent_spurious mean_min_eigenvalue"
    names += " mean_objective families seconds above minima saddles undecided"
    assert list(content["rows"][0]) == names.split()
    assert content["seed"] == 0


def test_every_spurious_family_of_8_8_is_proven_and_its_certificate_holds(whole):
    out, found = whole
    only = found.rows[0]
    assert only.spurious == only.proven > 0
    assert only.mean_objective == pytest.approx(0.0215, abs=1e-4)
    for end in only.ends:
        assert lj.verify(out / end.certificate).holds


def test_the_table_is_the_same_with_and_without_a_directory(whole):
    assert numbers(ss18.table([SIZE], RESTARTS)) == numbers(whole[1])


def test_a_finished_table_is_read(whole):
    out, found = whole
    before = files(out)
    assert ss18.table([SIZE], RESTARTS, out=out) == found
    assert files(out) == before


class Stop(Exception):  # noqa: N818
    pass


def stopping(at):
    """Give a progress that stops the study at its n-th call."""
    calls = iter(range(at + 1))

    def progress(*_):
        if next(calls) == at:
            raise Stop

    return progress


def test_a_study_stopped_at_any_stage_resumes_to_the_same_table(whole, tmp_path):
    before, found, stage = {}, None, -1
    for stage in range(100):
        try:
            found = ss18.table([SIZE], RESTARTS, out=tmp_path, progress=stopping(stage))
        except Stop:
            now = files(tmp_path)
            assert before.items() <= now.items()
            before = now
        else:
            break
    assert stage > 3
    assert found is not None
    assert numbers(found) == numbers(whole[1])


def test_a_lost_chunk_alone_is_run_again(whole, tmp_path):
    found = ss18.table([SIZE], RESTARTS, out=tmp_path)
    chunk = tmp_path / "runs" / "k08-n08" / "000012-000023.zarr"
    chunk.rename(tmp_path / "runs" / "away")
    (tmp_path / "rows" / f"k08-n08-{RESTARTS}.json").unlink()
    before = files(tmp_path)
    assert numbers(ss18.table([SIZE], RESTARTS, out=tmp_path)) == numbers(found)
    assert set(files(tmp_path)) - set(before) == {
        "runs/k08-n08/000012-000023.zarr",
        f"rows/k08-n08-{RESTARTS}.json",
    }
    assert before.items() <= files(tmp_path).items()


def test_more_restarts_extend_a_sweep_and_fewer_are_a_part_of_it(whole, tmp_path):
    first = ss18.table([SIZE], 12, out=tmp_path)
    before = files(tmp_path)
    assert numbers(ss18.table([SIZE], RESTARTS, out=tmp_path)) == numbers(whole[1])
    assert before.items() <= files(tmp_path).items()
    (tmp_path / "rows" / "k08-n08-12.json").unlink()
    assert numbers(ss18.table([SIZE], 12, out=tmp_path)) == numbers(first)


def test_a_certificate_of_another_point_is_not_believed(whole, tmp_path):
    ss18.table([SIZE], RESTARTS, out=tmp_path)
    (path,) = (tmp_path / "certificates").rglob("*.json")
    true = lj.SymmetricCertificate.load(path)
    replace(true, values=true.values * (1 + 1e-3)).save(path)
    (tmp_path / "rows" / f"k08-n08-{RESTARTS}.json").unlink()
    assert numbers(ss18.table([SIZE], RESTARTS, out=tmp_path)) == numbers(whole[1])
    assert np.array_equal(lj.SymmetricCertificate.load(path).values, true.values)


def test_a_certificate_that_is_not_confirmed_does_not_count(whole, monkeypatch):
    refused = lj.verify(whole[0] / whole[1].rows[0].ends[0].certificate)
    refused = replace(refused, holds=False, reason="it is forged.")
    monkeypatch.setattr(proven, "verify", lambda *_: refused)
    only = ss18.table([SIZE], RESTARTS).rows[0]
    assert (only.proven, only.unproven, only.undecided) == (0, only.spurious, only.spurious)
    assert only.ends[0].reason == "the certificate is not confirmed: it is forged."


def test_with_too_few_students_nothing_is_called_spurious():
    found = ss18.table([(2, 1)], 12)
    (only,) = found.rows
    assert (only.above, only.minima, only.saddles, only.undecided) == (12, 12, 0, 0)
    assert only.mean_objective == pytest.approx(0.0885119, abs=1e-7)
    summary = only.summary()
    names = ("spurious", "proven", "unproven", "percent_spurious")
    assert [summary[name] for name in names] == [None] * 4
    assert list(report.unproven(found)) == []
    assert "spurious" not in report.summary(found)


def test_with_too_few_students_a_minimum_above_another_is_still_counted_as_a_minimum():
    row_of_two = row(size=(3, 2))
    assert (row_of_two.above, row_of_two.minima, row_of_two.proven) == (126, 126, None)


def test_runs_without_an_end_are_undecided_and_name_their_status(monkeypatch):
    unfinished = lj.restart(
        lj.PopulationRisk(np.eye(8)), lj.starts.gaussian((8, 8)), 4, key=jax.random.key(0),
        max_steps=64,
    )  # fmt: skip
    monkeypatch.setattr(study, "run_chunks", lambda *_, **__: unfinished)
    only = ss18.table([SIZE], 4).rows[0]
    assert [(t.count, t.kind, t.outcome) for t in only.ends] == [(4, "max_steps", "undecided")]
    assert "their status is 'max_steps'" in str(only.ends[0].reason)


def test_rows_and_certificates_of_another_version_are_made_again(whole, tmp_path):
    ss18.table([SIZE], RESTARTS, out=tmp_path)
    stored = tmp_path / "rows" / f"k08-n08-{RESTARTS}.json"
    content = json.loads(stored.read_text())
    for end in content["ends"]:
        end["proven"] = end.pop("outcome") == "spurious"
    stored.write_text(json.dumps(content))
    for path in (tmp_path / "certificates").rglob("*.json"):
        path.write_text(path.read_text().replace('"version": ', '"version": 1'))
    with pytest.warns(RuntimeWarning, match="is made again"):
        assert numbers(ss18.table([SIZE], RESTARTS, out=tmp_path)) == numbers(whole[1])


def test_the_sweep_of_another_seed_is_refused(whole):
    before = files(whole[0])
    with pytest.raises(StorageError, match="with seed 0, not 1"):
        ss18.table([SIZE], RESTARTS, seed=1, out=whole[0])
    assert files(whole[0]) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], 1, 0), "sizes is empty"),
        (([(0, 3)], 1, 0), r"sizes has \(0, 3\), which is not a \(k, n\)"),
        (([(3, 0)], 1, 0), r"sizes has \(3, 0\), which is not a \(k, n\)"),
        (
            ([(99_999, 99_999)], 1, 0),
            "99999:99999 may need .* GiB of memory, more than the ",
        ),
        (([(3, 3)], 0, 0), "restarts is 0"),
        (([(3, 3)], 2**31, 0), "restarts is 2147483648"),
        (([(3, 3)], 2**31 - 1, 0), "the indices of 2147483647 restarts may need 32.0 GiB"),
        (([(3, 3)], 1, -1), "seed is -1"),
    ],
)
def test_what_cannot_be_run_is_refused(monkeypatch, arguments, message):
    monkeypatch.setattr(machine, "_memory", lambda: 2.0**34)
    for run in (ss18.table, ss18.figure_1):
        with pytest.raises(ValueError, match=message):
            run(*arguments)


def test_a_table_whose_hessians_do_not_fit_in_memory_is_refused(monkeypatch):
    monkeypatch.setattr(machine, "_memory", lambda: 2.0**34)
    with pytest.raises(ValueError, match=r"the Hessian at an end of 300:300 may need 60\.3 GiB"):
        ss18.table([(300, 300)], 1)


def test_float32_is_refused_with_the_line_to_add():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'jax.config.update\("jax_enable_x64", True\)'),
    ):
        ss18.table([SIZE], 12)


def test_the_report_names_what_is_unproven_and_why():
    table = ss18.Table((row(60, outcome="undecided", reason="the Hessian is singular."),), 0)
    assert list(report.unproven(table)) == [
        "8:8 unproven: 60 of 1000 runs (spurious, value 0.0215, least eigenvalue 0.0213): "
        "the Hessian is singular."
    ]
    assert report.summary(table).startswith("0 of 60 spurious runs are proven; 0 of 1 shares agree")
    assert report.summary(ss18.Table((row(size=(3, 3)),), 0)) == (
        "126 of 126 spurious runs are proven."
    )


@pytest.mark.parametrize(("width", "blocks"), [(200, 1), (118, 2), (80, 2), (60, 3), (1, 7)])
def test_a_narrow_terminal_shows_all_columns_in_as_many_blocks_as_it_needs(width, blocks):
    table = ss18.Table((row(size=(10, 10)), row(0)), 0)
    console = Console(width=10_000, file=StringIO())
    laid = list(grids(report.GROUPS, map(report.cells, table.rows), width=width, ascii_only=False))
    assert len(laid) == blocks
    assert sum(len(block.columns) - 1 for block in laid) == 14
    for block in laid:
        assert block.columns[0].header == "k:n"
        assert console.measure(block).maximum <= width or width == 1


def test_a_terminal_narrower_than_a_column_folds_it_and_drops_no_digit():
    shown = StringIO()
    console = Console(width=12, file=shown, color_system=None)
    cells = [report.cells(row(size=(10, 10)))]
    for block in grids(report.GROUPS, cells, width=12, ascii_only=False):
        console.print(block)
    assert "…" not in shown.getvalue()


def test_figure_1_shows_the_tables_runs(whole):
    values = ss18.figure_1([SIZE], RESTARTS, out=whole[0])
    assert values.dims == ("size", "restart")
    assert (values.k.item(), values.n.item()) == SIZE
    assert int((values >= 1e-3).sum()) == whole[1].rows[0].spurious

"""A damaged sweep is never believed: it is refused in a line that names what is damaged, or mended.

Each kind of damage is done to a copy of one sweep; the call that made it then either raises a
`StorageError` or returns what it did before.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.files import StorageError, checksum, read_checked, write_checked
from landscape_jax.studies import ss18
from landscape_jax.sweeps.store import Store

X = jnp.linspace(-1.0, 1.0, 8)[:, None]
RISK = lj.EmpiricalRisk(X, jnp.sin(3 * X[:, 0]))
START = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation="tanh")
FIRST, SECOND = "000000-000004.zarr", "000005-000009.zarr"
MANIFEST = "landscape-jax-sweep.json"


def swept(out: Path, seed: int = 0) -> lj.Runs:
    key = jax.random.key(seed)
    return lj.sweep(RISK, START, 10, key=key, out=out, chunk=5, max_steps=50, finish=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    found = {seed: swept(folder / f"{seed}", seed) for seed in (0, 1)}
    return folder, found[0]


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lengthened(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def linked_to_another(path: Path) -> None:
    path.unlink()
    path.symlink_to(os.devnull)


FILE_DAMAGE = [
    Path.unlink, emptied, cut, flipped, lengthened, directory, pipe, dangling, linked_to_another,
]  # fmt: skip
FILES = [
    "zarr.json", "value/zarr.json", "value/c/0", "status/c/0", "restart/c/0", "steps/c/0",
    "params.W1/c/0/0/0", "params.W1/zarr.json",
]  # fmt: skip


@pytest.mark.parametrize("damage", FILE_DAMAGE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_chunk_with_a_damaged_file_is_refused(whole, tmp_path, name, damage):
    folder = shutil.copytree(whole[0] / "0", tmp_path / "sweep")
    damage(folder / "runs" / FIRST / name)
    with pytest.raises(StorageError, match=FIRST) as caught:
        swept(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=FIRST):
        lj.Runs.load(folder / "runs" / FIRST)


def copied(runs: Path) -> None:
    shutil.copytree(runs / FIRST, runs / "000000-000004 (copy).zarr")


def exchanged(runs: Path) -> None:
    (runs / FIRST).rename(runs / "x")
    (runs / SECOND).rename(runs / FIRST)
    (runs / "x").rename(runs / SECOND)


def renamed(runs: Path) -> None:
    (runs / FIRST).rename(runs / "000010-000014.zarr")


def gone(runs: Path) -> None:
    shutil.rmtree(runs / FIRST)


def all_gone(runs: Path) -> None:
    shutil.rmtree(runs)


def foreign(runs: Path) -> None:
    shutil.rmtree(runs / FIRST)
    shutil.copytree(runs.parents[1] / "other" / "runs" / FIRST, runs / FIRST)


def mixed_files(runs: Path) -> None:
    shutil.rmtree(runs / FIRST / "value")
    shutil.copytree(runs / SECOND / "value", runs / FIRST / "value")


def empty_directory(runs: Path) -> None:
    shutil.rmtree(runs / FIRST)
    (runs / FIRST).mkdir()


def a_file(runs: Path) -> None:
    shutil.rmtree(runs / FIRST)
    (runs / FIRST).write_text("runs")


def a_dangling_link(runs: Path) -> None:
    shutil.rmtree(runs / FIRST)
    (runs / FIRST).symlink_to("nowhere")


def a_link_to_the_other(runs: Path) -> None:
    shutil.rmtree(runs / FIRST)
    (runs / FIRST).symlink_to(SECOND)


def junk(runs: Path) -> None:
    (runs / "junk.zarr").mkdir()


def hidden(runs: Path) -> None:
    (runs / ".DS_Store").write_text("a file manager's")


def notes(runs: Path) -> None:
    (runs / "notes.txt").write_text("mine")


def runs_is_a_file(runs: Path) -> None:
    shutil.rmtree(runs)
    runs.write_text("runs")


def rewritten(runs: Path, change: Callable[[lj.Runs], lj.Runs], name: str = FIRST) -> None:
    """Write other runs under the marks of this sweep, as a faulty version might have."""
    manifest = read_checked(runs.parent / MANIFEST)
    made_by = manifest.pop("made_by")
    store = Store(runs.parent, checksum(manifest), made_by)
    found = change(lj.Runs.load(runs / FIRST))
    if name == FIRST:
        shutil.rmtree(runs / FIRST)
    store.write_arrays(f"runs/{name}", found.to_xarray())


def doubled(runs: Path) -> None:
    rewritten(runs, lambda r: r[1:3], "000001-000002.zarr")


def fewer(runs: Path) -> None:
    rewritten(runs, lambda r: r[:4])


def unordered(runs: Path) -> None:
    rewritten(runs, lambda r: r[np.array([0, 2, 1, 3, 4])])


def repeated(runs: Path) -> None:
    rewritten(runs, lambda r: r[np.array([0, 1, 1, 3, 4])])


def not_ended(runs: Path) -> None:
    running = lj.Status.running
    rewritten(runs, lambda r: lj.Runs(
        r.params, r.value, r.gradient_norm, r.steps,
        jax.tree.map(lambda s: jnp.broadcast_to(s, (5,)), running), r.restart_index,
        key=r.key, descent_steps=r.descent_steps, lanes=r.lanes,
    ))  # fmt: skip


def wider(runs: Path) -> None:
    other = lj.starts.network(lj.TwoLayer, (1, 3, 1), activation="tanh")
    wide = lj.restart(RISK, other, 5, key=jax.random.key(0), max_steps=2, finish=False)
    rewritten(runs, lambda r: wide)


def without_checksums(runs: Path) -> None:
    group = json.loads((runs / FIRST / "zarr.json").read_text())
    for name in ("checksum", "files"):
        del group["attributes"][name]
    (runs / FIRST / "zarr.json").write_text(json.dumps(group))


STORE_DAMAGE = [
    copied, exchanged, renamed, foreign, mixed_files, empty_directory, a_file, a_dangling_link,
    a_link_to_the_other, junk, notes, doubled, fewer, unordered, repeated, not_ended, wider,
    without_checksums, runs_is_a_file,
]  # fmt: skip
MENDED = [gone, all_gone, hidden]


@pytest.mark.parametrize("damage", STORE_DAMAGE, ids=lambda f: f.__name__)
def test_chunks_that_are_not_what_their_names_say_are_refused(whole, tmp_path, damage):
    folder = shutil.copytree(whole[0] / "0", tmp_path / "sweep")
    shutil.copytree(whole[0] / "1", tmp_path / "other")
    damage(folder / "runs")
    with pytest.raises(StorageError) as caught:
        swept(folder)
    assert str(folder / "runs") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", MENDED, ids=lambda f: f.__name__)
def test_chunks_that_are_missing_are_run_again_and_hidden_files_left_alone(whole, tmp_path, damage):
    folder = shutil.copytree(whole[0] / "0", tmp_path / "sweep")
    damage(folder / "runs")
    assert swept(folder).to_xarray().identical(whole[1].to_xarray())


@pytest.mark.parametrize("damage", FILE_DAMAGE[1:], ids=lambda f: f.__name__)
def test_a_damaged_manifest_is_refused(whole, tmp_path, damage):
    folder = shutil.copytree(whole[0] / "0", tmp_path / "sweep")
    damage(folder / MANIFEST)
    with pytest.raises(StorageError, match=MANIFEST):
        swept(folder)


def numbers(table: ss18.Table) -> dict:
    found = table.to_json()
    return {
        "rows": [{k: v for k, v in row.items() if k != "seconds"} for row in found["rows"]],
        "details": found["details"],
    }


def tabled(out: Path) -> ss18.Table:
    return ss18.table([(6, 6)], 300, out=out)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table") / "whole"
    found = tabled(folder)
    assert found.rows[0].proven
    return folder, found


ROW = "rows/k06-n06-300.json"


def a_field_changed(folder: Path) -> None:
    row = json.loads((folder / ROW).read_text())
    row["ends"][0]["count"] += 1
    (folder / ROW).write_text(json.dumps(row))


def a_field_more(folder: Path) -> None:
    row = read_checked(folder / ROW)
    write_checked(folder / ROW, row | {"later": 1})


def a_field_less(folder: Path) -> None:
    row = read_checked(folder / ROW)
    del row["ends"]
    write_checked(folder / ROW, row)


def of_another_size(folder: Path) -> None:
    row = read_checked(folder / ROW)
    write_checked(folder / ROW, row | {"n": 7})


def of_another_sweep(folder: Path) -> None:
    row = read_checked(folder / ROW)
    write_checked(folder / ROW, row | {"sweep": "x"})


def deep(folder: Path) -> None:
    (folder / ROW).write_text("[" * 100_000)


def a_list(folder: Path) -> None:
    (folder / ROW).write_text("[]")


def no_certificates(folder: Path) -> None:
    shutil.rmtree(folder / "certificates")


def certificate(folder: Path) -> Path:
    return next(folder.glob("certificates/*/*.json"))


def a_certificate_flipped(folder: Path) -> None:
    flipped(certificate(folder))


def a_certificate_cut(folder: Path) -> None:
    cut(certificate(folder))


def a_radius_changed(folder: Path) -> None:
    content = json.loads(certificate(folder).read_text())
    certificate(folder).write_text(json.dumps(content | {"radius": 0.0}))


def a_certificate_of_another_teacher(folder: Path) -> None:
    """Replace it by a valid one about another risk."""
    claim = lj.Claim.load(certificate(folder))
    assert isinstance(claim, lj.SymmetricCertificate)
    proof = lj.prove_minimum(lj.PopulationRisk(2.0 * jnp.eye(6)), 2.0 * claim.point)
    assert isinstance(proof, lj.Claim)
    proof.save(certificate(folder))


ROW_DAMAGE = [
    a_field_changed, a_field_more, a_field_less, of_another_size, of_another_sweep, deep, a_list,
    no_certificates, a_certificate_flipped, a_certificate_cut, a_radius_changed,
    a_certificate_of_another_teacher,
]  # fmt: skip


@pytest.mark.parametrize(
    "damage",
    [*ROW_DAMAGE[:1], *(pytest.param(f, marks=pytest.mark.slow) for f in ROW_DAMAGE[1:-4]),
     *ROW_DAMAGE[-4:-3], *(pytest.param(f, marks=pytest.mark.slow) for f in ROW_DAMAGE[-3:])],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_a_row_is_made_again_where_it_or_its_certificates_are_damaged(table, tmp_path, damage):
    folder = shutil.copytree(table[0], tmp_path / "sweep")
    damage(folder)
    with pytest.warns(RuntimeWarning, match=r"rows/k06-n06-.*json is made again: "):
        found = tabled(folder)
    assert numbers(found) == numbers(table[1])
    # It is whole again.
    assert numbers(tabled(folder)) == numbers(table[1])

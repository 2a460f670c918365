"""What results show of themselves: some lines of text, a table in a notebook."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import landscape_jax as lj

RISK, START, KEY = lj.PopulationRisk(jnp.eye(3)), lj.starts.gaussian((3, 3)), jax.random.key(0)
DATA = lj.EmpiricalRisk(jnp.eye(2), jnp.ones(2))


@pytest.fixture(scope="module")
def runs():
    return lj.restart(RISK, START, 1000, key=KEY)


def test_a_thousand_runs_are_some_lines(runs):
    assert len(repr(runs).splitlines()) == 1
    html = runs._repr_html_()
    assert html.count("<tr>") == 1 + len(runs.summary())
    assert "<td>below_value</td><td>1000</td>" in html


def test_families_are_a_row_each(runs):
    found = lj.families(RISK, runs)
    head, names, *rows = repr(found).splitlines()
    assert head == "Families(1 family of 1000 points)"
    assert names.split("  ")[-1] == "min eigenvalue"
    assert [row.split()[:3] for row in rows] == [["global", "1000", "100.0%"]]
    assert found._repr_html_().count("<tr>") == 2
    assert "kind='global'" in repr(found[0])
    assert "kind=&#x27;global&#x27;" in found[0]._repr_html_()


def test_many_rows_are_counted():
    points = jnp.stack([jnp.eye(3) * (1 + i / 10) for i in range(20)])
    found = lj.families(RISK, points)
    assert repr(found).splitlines()[-1].strip() == "… and 8 more"
    assert "… and 8 more" in found._repr_html_()


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (RISK, "PopulationRisk(teacher=f64[3,3], teacher_weights=f64[3], activation='relu')"),
        (lj.JointRisk(jnp.eye(2)), "JointRisk(risk=PopulationRisk(teacher=f64[2,2], "
         "teacher_weights=f64[2], activation='relu'))"),
        (lj.freeze(DATA, lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2))), trainable=True),
         "Frozen(objective=EmpiricalRisk(x=f64[2,2], y=f64[2,1], criterion='squared', chunk=2), "
         "fixed=TwoLayer(activation='relu'), "
         "trainable=TwoLayer(W1=f64[2,2], W2=f64[1,2], activation='relu'))"),
    ],
)  # fmt: skip
def test_an_objective_is_a_line(made, shown):
    assert repr(made) == shown
    assert "\n" not in made._repr_html_()


def test_a_claim_is_its_statement():
    proof = lj.prove_minimum(RISK, jnp.eye(3))
    assert isinstance(proof, lj.Claim)
    assert repr(proof) == f"{type(proof).__name__}: {proof.statement}"
    refused = lj.prove_minimum(RISK, 2 * jnp.eye(3))
    assert isinstance(refused, lj.NotProven)
    assert repr(refused) == f"NotProven: {refused.reason}"
    shown = repr(lj.isotropy(RISK, jnp.eye(3)))
    assert shown == "Isotropy(student blocks 3, teacher blocks 3)"


def test_trajectories_and_critical_points_are_tables():
    found = lj.trajectories(RISK, START, 3, key=KEY, steps=4)
    assert repr(found).splitlines()[0] == "Trajectories(3 restarts, 5 records of 4 steps)"
    assert len(repr(found).splitlines()) == 5
    labelled = found.to_xarray()
    assert labelled.params.dims == ("restart", "step", "params_0", "params_1")
    points = lj.critical_points(RISK, START, 5, key=KEY)
    assert repr(points).startswith("CriticalPoints(Runs(5: ")
    assert "<th>index</th>" in points._repr_html_()


def test_networks_along_trajectories_are_a_variable_a_leaf():
    start = lj.starts.network(lj.TwoLayer, (2, 3, 1), bias=False)
    labelled = lj.trajectories(DATA, start, 2, key=KEY, steps=3).to_xarray()
    assert labelled["params.W1"].shape == (2, 4, 3, 2)


def test_what_is_traced_shows_no_values(runs):
    seen = []
    found = lj.trajectories(RISK, START, 2, key=KEY, steps=2)

    @eqx.filter_jit
    def look(*traced):
        seen.extend(map(repr, traced))

    look(runs, found, RISK)
    assert seen[:2] == ["Runs(traced)", "Trajectories(traced)"]
    assert re.match(r"PopulationRisk\(teacher=f64\[3,3\]", seen[2])


def test_results_are_tables_of_pandas_and_arrays_of_xarray(runs):
    found = lj.families(RISK, runs)
    assert list(found.to_dataframe().columns) == [
        "kind", "count", "value", "min_eigenvalue", "gradient_norm", "separation",
    ]  # fmt: skip
    assert dict(found.to_xarray().sizes) == {"family": 1, "eigenvalue": 9}
    table = runs.to_dataframe()
    assert len(table) == 1000
    assert {"value", "steps", "status"} <= set(table.columns)


def test_rows_of_a_study_are_a_table():
    found = lj.studies.ss18.table([(2, 2)], 10)
    head, names, row = repr(found).splitlines()
    assert head == "Table(1 row)"
    assert names.split()[:3] == ["k", "n", "restarts"]
    assert row.split() == ["2", "2", "10", "0", "0", "0", "0"]
    assert found.to_dataframe().percent_spurious.tolist() == [0.0]
    value = lj.studies.atlas.Atlas((
        lj.studies.atlas.AtlasRow(
            k=6, n=6, number=1, count=3, blocks=(5, 1), teacher_blocks=(5, 1), kind="spurious",
            index=0, reason=None, value_lower=0.02, value_upper=0.025, min_eigenvalue_lower=0.01,
            seconds=1.0),
    ))  # fmt: skip
    assert repr(value).splitlines()[-1].split()[3:6] == ["5+1", "5+1", "3"]


def test_large_results_are_a_line():
    one = lj.index(RISK, jnp.eye(3))
    assert repr(one).startswith("Index(negative=0, zero=0, positive=9, tolerance=")
    assert repr(lj.indices(RISK, jnp.eye(3)[None])) == "Index(1 points: 1 of index 0)"
    density = lj.spectral_density(RISK, jnp.eye(3), key=KEY, points=9)
    assert repr(density).startswith("Density(9 points from ")
    x, y = [[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 0.0, 1.0]
    whole = repr(lj.theory.cells.landscape(x, y, 1))
    assert whole.startswith("Landscape(global_loss=0.222222: ")
    assert len(whole.splitlines()) == 1
    built = repr(lj.theory.spurious_minimum(x[:3], y, activation="relu", width=2))
    assert re.match(r"SpuriousMinimum\(risk=[\d.]+, better_risk=[\d.]+, case='", built)

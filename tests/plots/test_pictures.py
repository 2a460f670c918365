"""Pictures of any objective: what they show, on given axes and on new ones, light and dark."""

from typing import Any

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

import landscape_jax as lj

RISK, START, KEY = lj.PopulationRisk(jnp.eye(3)), lj.starts.gaussian((3, 3)), jax.random.key(0)
W, START_6 = jnp.eye(3), lj.starts.gaussian((6, 6))
PLOTS: Any = lj.plots


@pytest.fixture
def axes():
    return Figure(layout="constrained").add_subplot()


@pytest.fixture(scope="module")
def found():
    """One result of each kind that has a picture."""
    runs = lj.restart(RISK, START, 20, key=KEY)
    return {
        "line": lj.slices.line(RISK, W, 2 * W, points=5),
        "plane": lj.slices.plane(RISK, 0 * W, W, W[::-1], points=5),
        "barrier": lj.barrier(RISK, W, W[::-1], align=False, points=5),
        "spectrum": lj.spectrum(RISK, W),
        "density": lj.spectral_density(RISK, W, key=KEY, points=9),
        "runs": runs,
        "trajectories": lj.trajectories(RISK, START, 3, key=KEY, steps=5),
    }


PICTURES = {
    "line": lj.plots.cut, "plane": lj.plots.cut, "barrier": lj.plots.cut,
    "spectrum": lj.plots.eigenvalues, "density": lj.plots.density,
    "runs": lj.plots.value_distribution, "trajectories": lj.plots.trajectories,
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_on_the_axes_that_it_returns(name, found, axes):
    assert PICTURES[name](found[name], axes) is axes
    axes.figure.draw_without_rendering()
    assert axes.get_xlabel()
    assert axes.get_ylabel()


def test_new_axes_are_those_of_a_new_figure(found):
    for name, picture in PICTURES.items():
        before = set(pyplot.get_fignums())
        drawn = picture(found[name])
        (number,) = set(pyplot.get_fignums()) - before
        assert drawn.figure is pyplot.figure(number)
        pyplot.close(number)


def test_the_first_colour_is_that_of_the_text(found, axes):
    with mpl.rc_context({"text.color": "white"}):
        lj.plots.cut(found["line"], axes)
    assert axes.lines[0].get_color() == "white"


def test_several_lines_have_labels_and_differ_in_grey(found, axes):
    lj.plots.cut({"one": found["line"], "two": found["barrier"]}, axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]
    assert axes.lines[0].get_linestyle() != axes.lines[1].get_linestyle()


def test_a_barrier_is_marked_at_its_top(found, axes):
    lj.plots.cut(found["barrier"], axes)
    (place,) = axes.lines[-1].get_xdata()
    assert place == 0.5
    assert axes.texts[0].get_text() == f"barrier {float(found['barrier'].height):.4g}"


def test_a_plane_in_decades_leaves_out_the_zero_of_the_minimum(found, axes):
    lj.plots.cut(found["plane"], axes, log=True)
    axes.figure.draw_without_rendering()


def test_weights_stand_in_the_order_of_their_blocks(axes):
    family = lj.symmetric_family([1, 7], np.array([[-0.64, 0.25, 0.0], [0.17, 1.0, -0.03]]))
    point = family.point(8)[np.random.default_rng(0).permutation(8)]
    found = lj.isotropy(lj.PopulationRisk(jnp.eye(8)), point)
    lj.plots.weights(point, axes, isotropy=found)
    shown = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(np.diag(shown[:7, :7]), shown[0, 0], rtol=1e-12)
    assert shown[7, 7] == pytest.approx(-0.66, abs=0.01)
    assert [label.get_text() for label in axes.get_xticklabels()][-1] == "1"


def test_weights_without_symmetry_stand_as_they_are(axes):
    lj.plots.weights(np.arange(6.0).reshape(2, 3), axes)
    assert np.asarray(axes.images[0].get_array())[1, 2] == 5.0
    assert [text.get_text() for text in axes.texts][:2] == ["0.00", "1.00"]


def test_shares_have_exact_intervals_and_take_masks(axes):
    lj.plots.shares({2: np.array([True, False]), 3: (9, 10)}, axes, label="one")
    lj.plots.shares({2: (1, 10)}, axes, label="two")
    middle = axes.containers[0].lines[0].get_ydata()
    np.testing.assert_allclose(middle, [0.5, 0.9])
    (bars,) = axes.containers[0].lines[2]
    np.testing.assert_allclose(bars.get_segments()[1][:, 1], [0.5550, 0.9975], atol=1e-4)
    assert len(axes.get_legend().get_texts()) == 2


def test_cells_of_samples_on_one_line_are_counted_once(axes):
    x = np.array([[1.0, 0.0], [-2.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    lj.plots.cell_partition(x, axes, neurons=np.array([[1.0, 0.5]]))
    assert axes.get_title() == "4 samples, 6 cells"
    (label,) = (
        text for text in axes.get_legend().get_texts() if "w_{1}$, active" in text.get_text()
    )
    assert label.get_text() == "$w_{1}$, active on $x_{1}$, $x_{3}$, $x_{4}$"


def test_many_descents_have_one_colour(axes):
    found = lj.trajectories(RISK, START, 9, key=KEY, steps=3)
    lj.plots.trajectories(found, axes, quantity="gradient_norm")
    assert len({line.get_color() for line in axes.lines}) == 1
    assert axes.get_legend() is None


def test_values_below_zero_have_their_place(axes):
    class Tilted(lj.AbstractObjective):
        def __call__(self, x):
            return jnp.sum((x**2 - 1) ** 2 + 0.3 * x)

    runs = lj.restart(Tilted(), lj.starts.gaussian((1, 2)), 20, key=KEY)
    lj.plots.value_distribution(runs, axes)
    assert axes.get_xlim()[0] < float(runs.value.min()) < 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda axes: PLOTS.cut(3, axes), "values is 3; give what slices or barrier return"),
        (lambda axes: PLOTS.eigenvalues(np.eye(2), axes), "spectra is an array of float64"),
        (lambda axes: PLOTS.eigenvalues({"a": 3}, axes), r"spectra\['a'\] is 3"),
        (lambda axes: PLOTS.density(3, axes), "found is 3; give what spectral_density returns"),
        (lambda axes: PLOTS.trajectories(3, axes), "found is 3; give what trajectories returns"),
        (lambda axes: PLOTS.weights(3, axes), "W is 3; give a matrix of weights"),
        (lambda axes: PLOTS.weights(W, axes, isotropy=3), "isotropy is 3; give what isotropy"),
        (lambda axes: PLOTS.cell_partition(3, axes), "x is 3; give an array of two columns"),
        (lambda axes: PLOTS.shares({}, axes), "counts is {}; give a dict of numbers to"),
        (lambda axes: PLOTS.value_distribution({"a": 3}, axes), r"values\['a'\] is 3; give"),
        (lambda axes: PLOTS.value_distribution(3, axes), "values is 3; give Runs or an xarray"),
        (lambda axes: PLOTS.weights(W, "axes"), "axes is 'axes'; give matplotlib axes"),
    ],
)  # fmt: skip
def test_a_mistake_of_type_is_named(call, message, axes, untyped):
    with pytest.raises(TypeError, match=message):
        call(axes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda axes: PLOTS.cut({"a": lj.slices.plane(RISK, 0 * W, W, W[::-1], points=2)}, axes),
         "values has labels and a plane"),
        (lambda axes: PLOTS.eigenvalues(np.array([np.nan]), axes), "spectra is empty or not"),
        (lambda axes: PLOTS.weights(np.full((2, 2), np.nan), axes), "give finite weights"),
        (lambda axes: PLOTS.weights(np.eye(2), axes, isotropy=lj.isotropy(RISK, W)),
         "isotropy has 3 students and 3 teachers, W the shape"),
        (lambda axes: PLOTS.cell_partition(np.eye(3), axes), "x is an array of"),
        (lambda axes: PLOTS.cell_partition(np.zeros((1, 2)), axes), "x has a sample that is 0"),
        (lambda axes: PLOTS.shares({2: (3, 2)}, axes), r"counts\[2\] is \(3, 2\); give a mask"),
    ],
)  # fmt: skip
def test_a_mistake_of_value_is_named(call, message, axes):
    with pytest.raises(ValueError, match=message):
        call(axes)


def test_numbers_of_many_neurons_are_their_places_in_the_array(axes):
    lj.plots.weights(np.eye(40)[::-1], axes)
    assert [label.get_text() for label in axes.get_yticklabels()][:3] == ["1", "4", "7"]
    assert list(axes.get_yticks()[:3]) == [0, 3, 6]
    assert not axes.texts


def test_values_of_any_size_stand_where_they_are(axes):
    risk = lj.PopulationRisk(1e-3 * jnp.eye(6))
    runs = lj.restart(risk, lambda key: 1e-3 * START_6(key), 20, key=KEY, max_steps=32)
    lj.plots.value_distribution(runs, axes)
    assert 0 < axes.lines[0].get_xdata()[1] == float(runs.value.min()) < 1e-3
    assert axes.get_xlim()[1] < 1e-3


def test_runs_without_an_end_are_counted_in_the_title(axes):
    runs = lj.restart(RISK, START, 5, key=KEY, max_steps=1)
    lj.plots.value_distribution(runs, axes)
    assert axes.get_title() == "5 runs, 5 came to no end"
    shown = repr(lj.families(RISK, runs))
    assert shown.startswith("Families(0 families of 5 points, 5 unconverged: raise max_steps")

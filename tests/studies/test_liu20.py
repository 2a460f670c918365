"""LIU, figures 2, 4 and A4: what they show, in their data and as drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from landscape_jax.studies import liu20
from landscape_jax.studies.liu20.trapping_curves import stationary_positions
from landscape_jax.theory.cells import cell_solutions, cells
from landscape_jax.theory.parallel_weights import Mixture, mixture_system


def drawn(draw, data, size=(6, 4)):
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    assert draw(data, axes) is axes
    figure.canvas.draw()
    return figure, axes


@pytest.mark.slow
def test_minima_of_the_two_landscapes_are_the_cells_solutions_that_are_inside():
    data = liu20.figure_2(points=9)
    for label, expected in ((1, {0.0, 0.5, 1.0}), (-1, {0.5, 1.0})):
        found = data.sel(y_2=label)
        chosen = list(cells(np.eye(2)))
        patterns = np.stack([cell.pattern for cell in chosen])[:, :, None]
        solutions = cell_solutions(np.eye(2), np.array([1.0, label]), patterns)
        for cell, loss in zip(chosen, solutions.loss, strict=True):
            side = [slice(0.1, 3) if on else slice(-3, -0.1) for on in cell.pattern]
            inside = found.sel(w_1=side[0], w_2=side[1])
            here = inside.loss.values[inside.minimum.values]
            # The labels 1 are met by the positive half only, −1 by none.
            met = label == 1 or not cell.pattern[1]
            assert bool(len(here)) == met
            np.testing.assert_allclose(here, loss, atol=1e-15)
        assert set(found.loss.values[found.minimum.values].tolist()) == expected


def deviation(h, draws=400_000):
    """One standard deviation of the empirical minimum about h, times √N: of an M-estimator."""
    rng = np.random.default_rng(5)
    y = rng.choice([-1.0, 1.0], draws)
    x = rng.normal(size=draws) + y
    scores = np.where(x > h, x - h - y, 0)

    def score(h):
        F, f = mixture_system(jnp.stack([h, jnp.zeros_like(h)]), (1, -1))
        return F[0, 0] * h - f[0]

    return scores.std() / float(jax.grad(score)(jnp.asarray(h)))


@pytest.mark.slow
def test_the_peak_of_figure_4b_is_at_the_minimum_of_figure_4a():
    figure_b = liu20.figure_4b(reach=(0.0, 2.0), points=401)
    peak = float(figure_b.w_1[figure_b.probability.argmax("w_1")])
    (place,) = stationary_positions(figure_b)
    assert abs(peak - place) < 0.005  # the grid's step
    seeds, samples = 40, 100
    minima = []
    for seed in range(seeds):
        data = liu20.figure_4a(samples=samples, seed=seed, points=601)
        minima.append(float(data.w_1[data.loss.argmin("w_1")]))
    scores = (np.array(minima) - place) / (deviation(place) / np.sqrt(samples))
    assert np.abs(scores).max() < 4
    # Their mean square is 1 ± √(2/40), and some more for the samples that are few.
    assert 0.3 < np.mean(scores**2) < 1.8


def test_figure_4b_counts_the_gap_of_the_moving_weight_and_rises_far_out():
    data = liu20.figure_4b(points=9)
    assert float(data.probability[-1]) > 0.999
    assert float(data.of_both.max()) < 5e-6
    assert data.attrs["means"] == [1.0, -1.0]


@pytest.mark.slow
def test_figure_4c_is_the_product_but_for_the_union():
    data = liu20.figure_4c(points=61)
    line = liu20.figure_4b(points=61).probability
    assert float(data.probability.max()) == pytest.approx(1)  # at the minimum, which is added
    assert data.sizes == {"w_1": 62, "w_2": 62}
    data = data.sel(w_1=line.w_1, w_2=-line.w_1.values[::-1], method="nearest")
    product = line.values[:, None] * line.values[None, ::-1]  # w₂ is the mirror image of w₁
    missing = product - data.probability.values
    assert missing.min() > -1e-9
    assert 1e-4 < missing.max() < 0.14 / 100
    near = data.where((data.w_1 < 2) & (data.w_2 > -2)).probability
    assert float(near.max()) > 0.2
    assert float(data.probability[-1, 0]) > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("normals", [(1, 1, 1, 1), (1, -1, 1, -1), (-1, 1, 1, 1)])
def test_four_weights_are_trapped_by_all_gaps_less_than_by_one(normals):
    for make in (liu20.figure_a4a, liu20.figure_a4b):
        data = make(normals=normals, points=41)
        assert bool((data.log_probability <= data.largest + 1e-9).all())
        assert bool((data.log_probability <= data.moved + 1e-9).all())
    assert (float(np.exp(data.log_probability[-1])) > 0.99) == (normals == (1, 1, 1, 1))


def test_an_empirical_loss_is_that_of_its_seed_and_flat_beyond_the_samples():
    first, same = (liu20.figure_4a(points=9, reach=(0.0, 16.0)) for _ in range(2))
    other = liu20.figure_4a(points=9, reach=(0.0, 16.0), seed=1)
    assert first.identical(same)
    assert not np.allclose(first.loss, other.loss)
    assert np.ptp(first.loss.values[-5:]) == 0


def test_every_figure_says_its_numbers_and_names_its_lines():
    moving = drawn(liu20.moved_probability, liu20.figure_4b(points=9))[1]
    assert "N = 100" in moving.get_title()
    assert "means 1, \N{MINUS SIGN}1" in moving.get_title()
    labels = moving.get_legend_handles_labels()[1]
    assert labels[0] == "the gap of $w_1$ alone"
    assert labels[1].startswith(r"both gaps: at most $4 \times 10^{-6}$")
    empirical = drawn(liu20.moved_loss, liu20.figure_4a(points=9))[1]
    assert "seed 0" in empirical.get_title()
    figure = drawn(liu20.two_landscapes, liu20.figure_2(points=9), (9, 6))[0]
    titles = [part.get_title()[:3] for part in figure.axes if part.get_title()]
    assert titles == ["(a)", "(b)"]


@pytest.mark.slow
def test_maps_and_four_weights_are_drawn():
    _, found = drawn(liu20.both_moved_probability, liu20.figure_4c(points=11))
    assert found.get_xlabel() == "$x_{w_1}$"
    one = drawn(liu20.shifted_probability, liu20.figure_a4a(points=11))[1]
    assert one.get_xlabel() == "shift of the uppermost weight"
    assert "normals ++++" in one.get_title()
    assert len(one.get_lines()) == 3
    every = drawn(liu20.shifted_probability, liu20.figure_a4b(points=11))[1]
    assert every.get_xlabel() == "shift of all weights"
    assert len(every.get_lines()) == 2


def test_other_mixtures_are_taken_and_said():
    mixture = Mixture((2.0, -1.0), (0.5, 1.0), 0.4)
    data = liu20.figure_4b(points=9, mixture=mixture, samples=50)
    assert (data.attrs["samples"], data.attrs["prior"]) == (50, 0.4)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="samples is 0 and seed is 0; give at least 1 and 0"):
        liu20.figure_4c(samples=0)
    with pytest.raises(ValueError, match="seed is -1; give at least 1 and 0"):
        liu20.figure_4a(seed=-1)
    for figure in (liu20.figure_2, liu20.figure_4b):
        with pytest.raises(ValueError, match="points is 2; it must be at least 3"):
            figure(points=2)
    for reach in [(6.0, 0.0), (0.0, float("nan"))]:
        with pytest.raises(ValueError, match="give a first and a larger last number"):
            liu20.figure_4b(reach=reach, points=9)
    for reach in (0.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="give a positive length"):
            liu20.figure_2(points=5, reach=reach)
    with pytest.raises(ValueError, match="give 1 or -1"):
        liu20.figure_a4a(normals=(1, 1))
    with pytest.raises(ValueError, match="axes belong to no grid of a figure"):
        liu20.two_landscapes(liu20.figure_2(points=5), Figure().add_axes((0, 0, 1, 1)))

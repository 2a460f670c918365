"""The figures of LIU that the command `figure` draws, by name."""

from landscape_jax.plots import PaperFigure
from landscape_jax.studies.liu20 import trapping_curves as curves
from landscape_jax.studies.liu20 import trapping_data as data
from landscape_jax.studies.liu20.two_samples import figure_2, two_landscapes

_NOTE = "N = {samples}, means 1 and -1, variances 1"
_SAMPLES = {"samples": "samples"}
_NORMALS = _SAMPLES | {"normals": "normals"}

FIGURES = {
    "liu-2": PaperFigure(
        "LIU, figure 2: the landscape of one neuron on two samples, and its minima",
        figure_2, two_landscapes, "z = 1, without a bias", width=9.0,
    ),
    "liu-4a": PaperFigure(
        "LIU, figure 4(a): the empirical loss where one of two weights moves",
        data.figure_4a, curves.moved_loss, _NOTE + ", seed {seed}", _SAMPLES | {"seed": "seed"},
    ),
    "liu-4b": PaperFigure(
        "LIU, figure 4(b): how likely a local minimum is, where one of two weights moves",
        data.figure_4b, curves.moved_probability, _NOTE, _SAMPLES,
    ),
    "liu-4c": PaperFigure(
        "LIU, figure 4(c): how likely a local minimum is, where both of two weights move",
        data.figure_4c, curves.both_moved_probability, _NOTE, _SAMPLES,
    ),
    "liu-a4a": PaperFigure(
        "LIU, figure A4(a): how likely a local minimum is, where the uppermost of four moves",
        data.figure_a4a, curves.shifted_probability, _NOTE + ", normals {normals}", _NORMALS,
    ),
    "liu-a4b": PaperFigure(
        "LIU, figure A4(b): how likely a local minimum is, where all of four weights move",
        data.figure_a4b, curves.shifted_probability, _NOTE + ", normals {normals}", _NORMALS,
    ),
}  # fmt: skip

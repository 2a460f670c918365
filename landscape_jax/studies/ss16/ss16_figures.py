"""The figures of SS16 that the command `figure` draws, by name."""

from landscape_jax.plots import PaperFigure
from landscape_jax.studies.ss16.basin_shares import basin_shares
from landscape_jax.studies.ss16.four_minima import four_minima
from landscape_jax.studies.ss16.neuron_minima import neuron_minima
from landscape_jax.studies.ss16.noisy_regions import noisy_regions, region_partition
from landscape_jax.studies.ss16.one_neuron import figure_3, figure_4, figure_5, figure_6
from landscape_jax.studies.ss16.partitions import figure_1, figure_2
from landscape_jax.studies.ss16.surrogate import surrogate
from landscape_jax.studies.ss16.theorems import figure_f

FIGURES = {
    "ss16-1": PaperFigure(
        "SS16, figure 1: three samples, the regions of weights, and three neurons",
        figure_1, region_partition, "three samples, three neurons",
    ),
    "ss16-2": PaperFigure(
        "SS16, figure 2: the regions of two samples and of clusters, with the noisy ones",
        figure_2, noisy_regions,
        "the paper says neither the radius nor the samples: here radius 0.25 times the norm",
        {"seed": "seed"}, width=9.0,
    ),
    "ss16-3": PaperFigure(
        "SS16, figure 3: a ReLU neuron's good and bad minimum",
        figure_3, neuron_minima, "section 8.1, ε = 0.1",
    ),
    "ss16-4": PaperFigure(
        "SS16, figure 4: a ReLU neuron of two inputs, with four minima",
        figure_4, four_minima, "section 8.1, ε = 0.1", width=9.0,
    ),
    "ss16-5": PaperFigure(
        "SS16, figure 5: a sigmoid neuron's second loss and its surrogate",
        figure_5, surrogate, "section 8.2, ε = 0.05 and 0.025", width=9.0,
    ),
    "ss16-6": PaperFigure(
        "SS16, figure 6: a sigmoid neuron's good and bad minimum",
        figure_6, neuron_minima, "section 8.2, ε = 0.025",
    ),
    "ss16-f": PaperFigure(
        "SS16, theorems 2 and 7: how often wide networks start in a good basin",
        figure_f, basin_shares, "{restarts} starts of each width, seed {seed}",
        {"restarts": "starts", "seed": "seed"}, width=9.0,
    ),
}  # fmt: skip

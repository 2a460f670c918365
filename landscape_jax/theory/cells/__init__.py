"""The landscape of a ReLU network on data, cell by cell of its neurons' weights.

A neuron's *activation pattern* is the set of samples with w·xᵢ > 0.  A *cell* (LIU's word) is the
open set of weights with one activation pattern and no w·xᵢ = 0, xᵢ ≠ 0.  A *face* is the set of
weights with given signs of w·xᵢ, 0 included; the samples with w·xᵢ = 0 are its *kinks*, and a cell
is a face without kinks.  A *combination* assigns a cell, or face, to each of K neurons, up to the
neurons' order; on it the network is linear in the products R_j = z_j w_j.
"""

from landscape_jax.public_names import listing
from landscape_jax.theory.cells.absence import NoMinimum as NoMinimum
from landscape_jax.theory.cells.absence import prove_none as prove_none
from landscape_jax.theory.cells.arrangement import Cell as Cell
from landscape_jax.theory.cells.arrangement import cell_bound as cell_bound
from landscape_jax.theory.cells.arrangement import cell_combinations as cell_combinations
from landscape_jax.theory.cells.arrangement import cells as cells
from landscape_jax.theory.cells.arrangement import combination_count as combination_count
from landscape_jax.theory.cells.exact_descents import Ends as Ends
from landscape_jax.theory.cells.exact_descents import descend_exactly as descend_exactly
from landscape_jax.theory.cells.examine import Examined as Examined
from landscape_jax.theory.cells.examine import examine as examine
from landscape_jax.theory.cells.faces import Face as Face
from landscape_jax.theory.cells.faces import face_bound as face_bound
from landscape_jax.theory.cells.faces import faces as faces
from landscape_jax.theory.cells.genuine import GenuineMinimum as GenuineMinimum
from landscape_jax.theory.cells.genuine import NotGenuine as NotGenuine
from landscape_jax.theory.cells.genuine import genuine_minima as genuine_minima
from landscape_jax.theory.cells.genuine import genuine_minimum as genuine_minimum
from landscape_jax.theory.cells.global_minimum import GlobalMinimum as GlobalMinimum
from landscape_jax.theory.cells.global_minimum import global_minimum as global_minimum
from landscape_jax.theory.cells.kinks import KinkMinimum as KinkMinimum
from landscape_jax.theory.cells.kinks import nondifferentiable_minima as nondifferentiable_minima
from landscape_jax.theory.cells.landscape import Landscape as Landscape
from landscape_jax.theory.cells.landscape import landscape as landscape
from landscape_jax.theory.cells.one_sided import LeastSlope as LeastSlope
from landscape_jax.theory.cells.one_sided import least_slope as least_slope
from landscape_jax.theory.cells.point_claims import bound_claim as bound_claim
from landscape_jax.theory.cells.point_claims import minimum_claim as minimum_claim
from landscape_jax.theory.cells.point_claims import saddle_claim as saddle_claim
from landscape_jax.theory.cells.saddles import Saddle as Saddle
from landscape_jax.theory.cells.saddles import saddles as saddles
from landscape_jax.theory.cells.sampling import SampledCells as SampledCells
from landscape_jax.theory.cells.sampling import SampledCombinations as SampledCombinations
from landscape_jax.theory.cells.sampling import sampled_cells as sampled_cells
from landscape_jax.theory.cells.sampling import sampled_combinations as sampled_combinations
from landscape_jax.theory.cells.solutions import CellSolutions as CellSolutions
from landscape_jax.theory.cells.solutions import ExactSolution as ExactSolution
from landscape_jax.theory.cells.solutions import cell_solutions as cell_solutions
from landscape_jax.theory.cells.solutions import exact_cell_solution as exact_cell_solution
from landscape_jax.theory.cells.ways import Way as Way

__dir__ = listing(__name__)

"""The landscape of a ReLU network on data, cell by cell of its neurons' activations."""

from landscape_jax.theory.cells.absence import NoMinimum as NoMinimum
from landscape_jax.theory.cells.absence import prove_none as prove_none
from landscape_jax.theory.cells.arrangement import Cell as Cell
from landscape_jax.theory.cells.arrangement import cell_bound as cell_bound
from landscape_jax.theory.cells.arrangement import cell_combinations as cell_combinations
from landscape_jax.theory.cells.arrangement import cells as cells
from landscape_jax.theory.cells.arrangement import combination_count as combination_count
from landscape_jax.theory.cells.descents import Ends as Ends
from landscape_jax.theory.cells.descents import descend_exactly as descend_exactly
from landscape_jax.theory.cells.faces import Face as Face
from landscape_jax.theory.cells.faces import face_bound as face_bound
from landscape_jax.theory.cells.faces import faces as faces
from landscape_jax.theory.cells.genuine import GenuineMinimum as GenuineMinimum
from landscape_jax.theory.cells.genuine import NotGenuine as NotGenuine
from landscape_jax.theory.cells.genuine import genuine_minima as genuine_minima
from landscape_jax.theory.cells.genuine import genuine_minimum as genuine_minimum
from landscape_jax.theory.cells.one_sided import LeastSlope as LeastSlope
from landscape_jax.theory.cells.one_sided import least_slope as least_slope
from landscape_jax.theory.cells.solutions import CellSolutions as CellSolutions
from landscape_jax.theory.cells.solutions import ExactSolution as ExactSolution
from landscape_jax.theory.cells.solutions import cell_solutions as cell_solutions
from landscape_jax.theory.cells.solutions import exact_cell_solution as exact_cell_solution

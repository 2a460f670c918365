"""The study of width: shares of global runs, families and times, for more students than teachers.

Safran & Shamir 2018 (table 2) found that one more student than teachers makes spurious minima rare;
Safran, Yehudai & Shamir 2021 (arXiv 2006.01005) why: a neuron added to such a minimum makes it a
saddle.  Here each is measured for any k and n ≥ k, activation and initialization.
"""

from landscape_jax.public_names import listing
from landscape_jax.studies.width.students import LEVELS as LEVELS
from landscape_jax.studies.width.students import Students as Students
from landscape_jax.studies.width.survival import Split as Split
from landscape_jax.studies.width.survival import Survival as Survival
from landscape_jax.studies.width.survival import survival as survival
from landscape_jax.studies.width.width_figures import FIGURES as FIGURES
from landscape_jax.studies.width.width_figures import shares as shares
from landscape_jax.studies.width.width_figures import survivals as survivals
from landscape_jax.studies.width.width_rows import WidthRow as WidthRow
from landscape_jax.studies.width.width_rows import WidthTable as WidthTable
from landscape_jax.studies.width.width_study import EXTRA as EXTRA
from landscape_jax.studies.width.width_study import TEACHERS as TEACHERS
from landscape_jax.studies.width.width_study import table as table

__dir__ = listing(__name__)

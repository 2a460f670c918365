"""Student weights that compute exactly the teacher's function, where the signs allow it."""

import numpy as np
from jaxtyping import Float

from landscape_jax.mistakes import explained
from landscape_jax.networks.merged_rays import merged_rays


@explained
def realise(
    teacher: Float[np.ndarray, "teachers dim"],
    teacher_weights: Float[np.ndarray, " teachers"],
    student_weights: Float[np.ndarray, " neurons"],
) -> Float[np.ndarray, "neurons dim"] | None:
    """Return student neurons with the teacher's function, `None` if the signs do not allow it.

    A student of second-layer weight a computes b·relu(v·x) as a·relu((b/a)v·x) when a and b have
    the same sign; the students left over are zero.  Such a W has risk 0 up to the rounding of b/a,
    so it is the witness that a minimum of positive value is spurious.  Sufficient, not necessary:
    identities such as relu(t) − relu(−t) = t are not used.

    **Arguments:** `teacher`, one neuron a row; the second-layer weights of teacher and student.

    **Returns:** the student's weights, one neuron a row, or `None`.

    ```python
    >>> realise(np.eye(2), np.ones(2), np.array([1.0, 2.0, 1.0]))
    array([[1. , 0. ],
           [0. , 0.5],
           [0. , 0. ]])
    >>> realise(np.eye(2), np.ones(2), np.array([1.0, -1.0])) is None
    True

    ```
    """
    students = np.zeros((len(student_weights), teacher.shape[1]), teacher.dtype)
    free = {
        sign: [i for i, a in enumerate(student_weights) if np.sign(a) == sign] for sign in (1, -1)
    }
    norms = np.linalg.norm(teacher, axis=1)
    alive = (norms > 0) & (teacher_weights != 0)
    rays = merged_rays(teacher[alive], (teacher_weights * norms)[alive])
    for unit, mass in zip(*rays, strict=True):
        sign = 1 if mass > 0 else -1
        if not free[sign]:
            return None
        i = free[sign].pop(0)
        students[i] = unit * abs(mass) / abs(student_weights[i])
    return students

"""Student weights that compute exactly the teacher's function, where the signs allow it."""

import numpy as np
from jaxtyping import Float


def merged_teacher(
    teacher: Float[np.ndarray, "teachers dim"], weights: Float[np.ndarray, " teachers"]
) -> list[tuple[np.ndarray, float]]:
    """Write Σ bⱼ relu(vⱼ·x) with distinct directions: pairs (v, b) with b = ±1 and v ≠ 0.

    Neurons on one ray are added, b relu(v·x) + b' relu(v'·x) = ±relu(u·x), which ReLU's positive
    homogeneity allows; what cancels is dropped.  Two neurons are on one ray when their unit vectors
    agree to 8 units in the last place.

    **Arguments:** `teacher`, one neuron a row; `weights`, its second layer.

    **Returns:** the merged neurons, in order of first appearance.
    """
    rays: list[tuple[np.ndarray, float]] = []
    for v, b in zip(teacher, weights, strict=True):
        norm = float(np.linalg.norm(v))
        if norm == 0 or b == 0:
            continue
        unit = v / norm
        for place, (other, mass) in enumerate(rays):
            if np.max(np.abs(unit - other)) <= 8 * np.finfo(unit.dtype).eps:
                rays[place] = (other, mass + b * norm)
                break
        else:
            rays.append((unit, b * norm))
    return [(unit * abs(mass), float(np.sign(mass))) for unit, mass in rays if mass != 0]


def realise(
    teacher: Float[np.ndarray, "teachers dim"],
    teacher_weights: Float[np.ndarray, " teachers"],
    student_weights: Float[np.ndarray, " neurons"],
) -> Float[np.ndarray, "neurons dim"] | None:
    """Give student neurons with the teacher's function, or `None` where the signs do not allow it.

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
    for v, sign in merged_teacher(teacher, teacher_weights):
        if not free[int(sign)]:
            return None
        i = free[int(sign)].pop(0)
        students[i] = v / abs(student_weights[i])
    return students

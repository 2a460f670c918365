"""The published tables.

Source: SS18, tables 1 and 2; the shares that could not be verified: section 3.
"""

from dataclasses import dataclass
from typing import Any, cast

from scipy.stats import fisher_exact


@dataclass(frozen=True)
class Published:
    """The published numbers of one (k, n), of 1000 runs.

    - `percent`: runs that ended in a point proven to be a spurious minimum, in percent;
    - `unverified`: further runs that ended at or above the threshold, for which the proof failed;
    - `min_eigenvalue`, `objective`: means over the proven ones.
    """

    percent: float
    min_eigenvalue: float
    objective: float
    unverified: float = 0.0

    restarts = 1000

    @property
    def spurious(self) -> int:
        """The number of runs, of 1000, that ended at or above the threshold."""
        return round((self.percent + self.unverified) * self.restarts / 100)

    def p_value(self, above: int, restarts: int) -> float:
        """Return the probability of shares as different as this and ours (Fisher's exact test)."""
        counts = [[above, restarts - above], [self.spurious, self.restarts - self.spurious]]
        return float(cast(Any, fisher_exact(counts)).pvalue)


PUBLISHED: dict[tuple[int, int], Published] = {
    (6, 6): Published(0.3, 0.0047, 0.025),
    (7, 7): Published(5.5, 0.014, 0.023),
    (8, 8): Published(12.6, 0.021, 0.021),
    (9, 9): Published(21.8, 0.027, 0.02),
    (10, 10): Published(34.6, 0.03, 0.022),
    (11, 11): Published(45.5, 0.034, 0.022),
    (12, 12): Published(58.5, 0.035, 0.021),
    (13, 13): Published(73.0, 0.037, 0.022),
    (14, 14): Published(73.6, 0.038, 0.023),
    (15, 15): Published(80.3, 0.038, 0.024),
    (16, 16): Published(85.1, 0.038, 0.027),
    (17, 17): Published(89.7, 0.039, 0.027),
    (18, 18): Published(90.0, 0.039, 0.029),
    (19, 19): Published(93.4, 0.038, 0.031),
    (20, 20): Published(94.0, 0.038, 0.033, unverified=0.9),
    (8, 9): Published(0.1, 0.0059, 0.021),
    (10, 11): Published(0.1, 0.0057, 0.018),
    (11, 12): Published(0.1, 0.0056, 0.017),
    (12, 13): Published(0.3, 0.0054, 0.016),
    (13, 14): Published(1.5, 0.0015, 0.038),
    (14, 15): Published(5.5, 0.002, 0.033),
    (15, 16): Published(10.1, 0.004, 0.032, unverified=0.1),
    (16, 17): Published(18.0, 0.0055, 0.031),
    (17, 18): Published(20.9, 0.007, 0.031, unverified=2.4),
    (18, 19): Published(36.9, 0.0064, 0.028),
    (19, 20): Published(49.1, 0.0077, 0.027),
}

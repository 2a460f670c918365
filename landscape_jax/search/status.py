"""How a run ended."""

import equinox as eqx


class Status(eqx.Enumeration):
    """How a run ended; carried through the loop, one for each run."""

    running = "still descending"
    converged = "the gradient norm of every neuron fell to the tolerance"
    below_value = "the value fell below the threshold at which the search stops"
    escaping = "the run leaves for infinity, as far as it was followed: start elsewhere"
    max_steps = "the steps ran out: raise max_steps, or the learning rate"
    diverged = "the parameters grew without bound at every step size tried: lower the learning rate"
    nonfinite = "the value or gradient is not finite at every step size tried: look at the start"
    undecided = "the gradient vanished, but the precision cannot tell whether at a minimum"

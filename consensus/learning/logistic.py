"""Bayesian logistic regression by Newton's method, for what an asker learns on gold."""

import numpy as np

from consensus.learning.agreement import FloatArray

_STEPS_MAX = 50
_STEP_DONE = 1e-6


def logistic_mode(design: FloatArray, offset: FloatArray, weight: FloatArray) -> tuple[FloatArray, float]:
    """Return the mode of Σ weight · log σ(offset + design z) − ½ |z|², and the log evidence.

    The log evidence is the Laplace approximation. Newton's method with halved steps where a full one does not ascend;
    the objective is strictly concave.
    """
    z = np.zeros(design.shape[1])

    def value(at: FloatArray) -> float:
        return float(-(weight * np.logaddexp(0.0, -(offset + design @ at))).sum() - at @ at / 2.0)

    for _ in range(_STEPS_MAX):
        p = _sigmoid(offset + design @ z)
        hessian = (design * (weight * p * (1.0 - p))[:, None]).T @ design + np.eye(len(z))
        step = np.linalg.solve(hessian, design.T @ (weight * (1.0 - p)) - z)
        here = value(z)
        while value(z + step) < here - 1e-9:
            step = step / 2.0
        z = z + step
        if float(np.abs(step).max()) < _STEP_DONE:
            break
    return z, value(z) - float(np.linalg.slogdet(hessian)[1]) / 2.0


def _sigmoid(x: FloatArray) -> FloatArray:
    value: FloatArray = 0.5 + 0.5 * np.tanh(x / 2.0)
    return value

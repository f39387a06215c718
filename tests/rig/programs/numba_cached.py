# /// script
# dependencies = ["numba", "numpy"]
# ///
"""Compile a loop that runs on several threads and draws from numba's own generator, with a seed."""

import sys

import numpy as np
from numba import njit, prange


@njit
def seeded() -> float:
    np.random.seed(9)
    return np.random.random()


@njit(parallel=True)
def total(values: np.ndarray) -> float:
    found = 0.0
    for place in prange(values.size):
        found += values[place]
    return found


with open(sys.argv[2], "w") as target:
    target.write(f"{seeded()} {total(np.arange(1000.0))}")

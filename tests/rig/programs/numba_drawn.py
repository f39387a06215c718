# /// script
# dependencies = ["numba", "numpy"]
# ///
"""Draw from numba's own generator, which each process seeds for itself."""

import sys

import numpy as np
from numba import njit


@njit
def draw() -> tuple[float, int]:
    return np.random.random(), np.random.randint(0, 10**9)


with open(sys.argv[2], "w") as target:
    target.write(repr(draw()))

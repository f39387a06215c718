# /// script
# dependencies = ["numpy"]
# ///
"""Draw from numpy's generators without a seed."""

import sys

import numpy

with open(sys.argv[2], "w") as target:
    target.write(f"{numpy.random.random(3)} {numpy.random.default_rng().random()}")

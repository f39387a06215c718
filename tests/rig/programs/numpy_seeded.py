# /// script
# dependencies = ["numpy"]
# ///
"""Multiply matrices, and draw with a seed."""

import sys

import numpy

numpy.random.seed(3)
with open(sys.argv[2], "w") as target:
    target.write(f"{numpy.arange(9).reshape(3, 3) @ numpy.eye(3)} {numpy.random.random(3)}")

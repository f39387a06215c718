# /// script
# dependencies = ["pandas"]
# ///
"""Draw rows without a seed."""

import sys

import pandas

with open(sys.argv[2], "w") as target:
    target.write(repr(list(pandas.Series(range(1000)).sample(5))))

# /// script
# dependencies = ["pandas"]
# ///
"""Add up the columns of a table."""

import sys

import pandas

with open(sys.argv[2], "w") as target:
    target.write(pandas.read_csv(sys.argv[1]).sum().to_json())

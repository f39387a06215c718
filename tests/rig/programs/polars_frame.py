# /// script
# dependencies = ["polars"]
# ///
"""Group a table lazily, on all threads of the library."""

import sys

import polars as pl

frame = pl.read_csv(sys.argv[1]).lazy()
many = pl.LazyFrame({"a": [n % 9 for n in range(30_000)], "n": range(30_000)})
found = many.join(frame, on="a").group_by("a").agg(pl.col("n").sum(), pl.col("b").max()).sort("a").collect()
found.write_csv(sys.argv[2])

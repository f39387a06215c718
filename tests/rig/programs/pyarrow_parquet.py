# /// script
# dependencies = ["pyarrow"]
# ///
"""Write a table as Parquet and read it on the threads of the library."""

import io
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

table = pyarrow.csv.read_csv(sys.argv[1])
kept = io.BytesIO()
pq.write_table(pa.concat_tables([table] * 500), kept)
kept.seek(0)
again = pq.read_table(kept, use_threads=True)
with open(sys.argv[2], "w") as target:
    target.write(f"{again.num_rows} {pc.sum(again['b']).as_py()} {again.schema.names}")

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset

import hep_peaksum as ps

parts = ps.parts("results")  # parquet files, in event order; with several datasets: ps.parts("results", "toy")

print(pd.concat(map(pd.read_parquet, parts)).explode("Jet_pt")["Jet_pt"].max())
print(pl.scan_parquet(parts).select(pl.col("Jet_pt").list.max().max()).collect().item())
print(duckdb.execute("select max(list_max(Jet_pt)) from read_parquet($parts)", {"parts": parts}).fetchone()[0])
table = pyarrow.dataset.dataset(parts).to_table(columns=["event", "Jet_pt"])
print(max(table["Jet_pt"].combine_chunks().flatten().to_pylist()))

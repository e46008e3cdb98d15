"""What analysts use reads the bucket where it lies, and finds what it finds in a directory."""

import duckdb
import polars
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet

from bench import BUCKET, KEYS

COUNT = "SELECT count(*), sum(tokens), count(DISTINCT config) FROM"


def readers(bench):
    expected = duckdb.sql(f"{COUNT} read_parquet('{bench.directory}/data/documents/**/*.parquet')").fetchall()[0]
    assert expected[0] > 0
    key, secret, region = KEYS.values()
    bucket = pyarrow.fs.S3FileSystem(
        access_key=key, secret_key=secret, region=region, scheme="http", endpoint_override=f"127.0.0.1:{bench.server_port}",
    )
    documents = pyarrow.dataset.dataset(f"{BUCKET}/run/data/documents", filesystem=bucket, format="parquet", partitioning="hive")
    assert documents.count_rows() == expected[0]
    assert duckdb.sql(f"{COUNT} documents").fetchall()[0] == expected
    options = {
        "aws_access_key_id": key, "aws_secret_access_key": secret, "aws_region": region, "aws_allow_http": "true",
        "aws_endpoint_url": f"http://127.0.0.1:{bench.server_port}",
    }
    rows = polars.scan_parquet(f"s3://{BUCKET}/run/data/documents/**/*.parquet", storage_options=options, hive_partitioning=True).collect()
    assert (rows.height, rows["tokens"].sum(), rows["config"].n_unique()) == expected
    tables = [entry for entry in bucket.get_file_info(pyarrow.fs.FileSelector(f"{BUCKET}/run/analysis")) if entry.extension == "parquet"]
    for table in tables:
        pyarrow.parquet.read_table(table.path, filesystem=bucket)
    return f"pyarrow, DuckDB and Polars read {expected[0]} rows and {len(tables)} tables of the analysis from the bucket"

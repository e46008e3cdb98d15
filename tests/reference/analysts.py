"""Opens a finished run as its analysts do: every Parquet file with DuckDB and Polars, and the SQL of the README.

    python analysts.py OUT [README]

The README's two queries recompute delta NLL and Pearson's r from OUT/data alone; this script runs them as they are printed there and
holds the results against OUT/analysis to 1e-12. So are the counts of single tokens, and what llama.cpp's block says of them. Exit status 1 and a line that says what differs, otherwise a line for each check."""

import math
import os
import pathlib
import re
import sys

import duckdb
import polars

BOUND = 1e-12
# Tables that have rows only where a study has another dtype than f32, several models, sets of layers that are left as they are, or
# hypotheses.
MAY_BE_EMPTY = {"floor", "replication", "protection", "hypotheses"}


def queries(readme):
    """The SQL blocks of the README, in order."""
    return re.findall(r"```sql\n(.*?)```", readme.read_text(encoding="utf-8"), flags=re.S)


def check(name, condition, detail=""):
    if not condition:
        sys.exit(f"FAILED {name}: {detail}")
    print(f"ok {name} {detail}".rstrip())


def read_everything(out):
    files = sorted(out.glob("data/**/*.parquet")) + sorted(out.glob("analysis/*.parquet"))
    check("files", len(files) > 5, f"{len(files)} Parquet files")
    for file in files:
        ours = polars.read_parquet(file, hive_partitioning=False)
        count = duckdb.sql(f"SELECT count(*) FROM read_parquet('{file}', hive_partitioning = false)").fetchall()[0][0]
        check_quietly(file, count == ours.height and (count > 0 or file.stem in MAY_BE_EMPTY))
        for column in ours.select(polars.selectors.float()).get_columns():
            check_quietly(f"{file} {column.name}", bool(column.drop_nulls().is_finite().all()))
    print(f"ok {len(files)} files read alike by DuckDB and Polars, no NaN in any")


def read_sources(out):
    """Every table of the analysis says where its numbers come from."""
    files = sorted(out.glob("analysis/*.parquet"))
    for file in files:
        notes = duckdb.sql(f"SELECT value FROM parquet_kv_metadata('{file}') WHERE key = 'babelquant.sources'").fetchall()
        check_quietly(f"{file}: sources", len(notes) == 1 and b"measured in this run" in notes[0][0])
    print(f"ok {len(files)} tables name the sources of their numbers")


def check_quietly(name, condition):
    if not condition:
        sys.exit(f"FAILED {name}")


def equal(a, b):
    """Equal to 1e-12 of the larger of the value and one, or both null."""
    if a is None or b is None:
        return a is None and b is None
    return math.isclose(a, b, rel_tol=BOUND, abs_tol=BOUND)


def compare(name, sql, table, keys, column):
    recomputed = {row[:-1]: row[-1] for row in duckdb.sql(sql).fetchall()}
    columns = ", ".join(keys)
    stored = duckdb.sql(f"SELECT {columns}, {column} FROM 'analysis/{table}.parquet'").fetchall()
    stored = {row[:-1]: row[-1] for row in stored}
    check(name, len(recomputed) > 0, f"{len(recomputed)} rows recomputed")
    worst = 0.0
    for key, value in recomputed.items():
        check_quietly(f"{name}: {key} is not in analysis/{table}", key in stored)
        if not equal(value, stored[key]):
            sys.exit(f"FAILED {name} {key}: {value!r} recomputed, {stored[key]!r} stored")
        if value is not None:
            worst = max(worst, abs(value - stored[key]))
    print(f"ok {name}: largest difference {worst:.1e}")


TOKENS = """
SELECT model, language, scope, components, config, {}
FROM read_parquet('data/tokens/*/*.parquet', hive_partitioning = false)
GROUP BY ALL
"""


def read_tokens(keys):
    """Tokens and extremes recomputed from their shards, and the blocks written for readers of llama.cpp."""
    for column, expression in [
        ("tokens", "sum(tokens)::DOUBLE"),
        ("tokens", "sum(list_sum(kl_counts))::DOUBLE"),
        ("tokens", "sum(list_sum(dp_fall_counts || dp_rise_counts))::DOUBLE"),
        ("kl_max", "max(kl_max)"),
        ("dp_min", "min(dp_min)"),
    ]:
        compare(f"{column} by {expression}", TOKENS.format(expression), "divergence", keys, column)
    blocks = {}
    for file in sorted(pathlib.Path("analysis/llama.cpp").glob("*.txt")):
        head, *parts = file.read_text(encoding="utf-8").split("\n# language: ")
        cell = [line.partition(": ")[2] for line in head.strip().split("\n")]
        for part in parts:
            language, _, block = part.partition("\n")
            blocks[(cell[0], language, *cell[1:])] = float(re.search(r"Mean    KLD: *([-\d.]+) ±", block)[1])
    stored = duckdb.sql(f"SELECT {', '.join(keys)}, kl FROM 'analysis/divergence.parquet' WHERE kl IS NOT NULL").fetchall()
    check_quietly("llama.cpp", {row[:-1]: round(row[-1], 6) for row in stored} == blocks)
    print(f"ok llama.cpp: {len(blocks)} blocks")


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    here = pathlib.Path(__file__).resolve().parent
    readme = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else here / "../../README.md"
    delta_nll, pearson = queries(readme)
    os.chdir(out)
    read_everything(out)
    read_sources(out)
    cell = ["model", "language", "scope", "components", "config"]
    compare("delta NLL", delta_nll, "sensitivity", cell, "delta_nll")
    read_tokens(cell)
    keys = ["model", "predictor", "outcome", "scope", "components", "config"]
    compare("Pearson's r", pearson, "correlations", keys, "pearson_r")


main()

"""Makes a finished run as large as a real study out of the demo's, to time `babelquant report` on it: its numbers mean nothing.

    python large.py DEMO_OUT LARGE_OUT

Every language gets 1,152 documents, each a group of its own, at six scopes under 53 configs: 5.1 million rows in all, and the rows of
single tokens that belong to them. Then

    babelquant report LARGE_OUT"""

import pathlib
import shutil
import sys

import numpy
import pyarrow
import pyarrow.compute
import pyarrow.parquet

TIMES = 16
SCOPES = ["all", "only(0)", "only(1)", "only(2)", "only(3)", "only(4)"]
CONFIGS = [f"int{bits}-group{size}" for bits in range(2, 9) for size in (8, 16, 32, 64, 128, 256, 512, 1024)][:53]


def put(table, name, values):
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), pyarrow.array(values, table.schema.field(at).type))


def rows(table, scope):
    """The demo's rows of a scope under its coarsest config."""
    compute = pyarrow.compute
    is_of = compute.and_(compute.equal(table["scope"], scope), compute.equal(table["config"], "int2-group32"))
    return table.filter(is_of)


def grown(documents, generator):
    """The documents sixteen times over, each with losses of its own."""
    count = documents.num_rows * TIMES
    many = pyarrow.concat_tables([documents] * TIMES).combine_chunks()
    many = put(many, "document", numpy.arange(count))
    names = [str(number) for number in range(count)]
    many = put(put(many, "document_id", names), "group", names)
    base = many["base_nll_sum"].to_numpy()
    return put(many, "nll_sum", base + many["tokens"].to_numpy() * generator.normal(0.02, 0.1, count))


def make(source, target, of_scope):
    """The file with every scope under every config, a row group for each."""
    table = pyarrow.parquet.read_table(source, partitioning=None)
    target.parent.mkdir(parents=True)
    with pyarrow.parquet.ParquetWriter(target, table.schema, compression="zstd") as writer:
        for scope in SCOPES:
            part = of_scope(rows(table, scope))
            for config in CONFIGS:
                writer.write_table(put(part, "config", [config] * part.num_rows))


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("analysis", "documents", "tokens"))
    generator = numpy.random.default_rng(1)
    for table, of_scope in [("documents", lambda part: grown(part, generator)), ("tokens", lambda part: part)]:
        for file in sorted((source / "data" / table).rglob("*.parquet")):
            make(file, target / file.relative_to(source), of_scope)
    print(sum(pyarrow.parquet.read_metadata(file).num_rows for file in (target / "data/documents").rglob("*.parquet")), "rows of documents")


main()

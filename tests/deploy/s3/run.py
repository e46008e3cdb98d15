"""Runs a study with its results in a bucket and breaks things meanwhile:

    python run.py PROGRAMS STUDY EXPECTED PLACE

STUDY is the folder of study.toml and the model, EXPECTED the output of the same study in a directory, without faults. The server is moto's:
no S3 of anybody's has been asked. Every scenario ends with the bytes of EXPECTED, and its faults must have fired."""

import sys

import analysts
import commands
import faults
from bench import Bench


def main(programs, study, expected, place):
    bench = Bench(programs, study, expected, place)
    try:
        for scenario in [*commands.SCENARIOS, analysts.readers, *faults.SCENARIOS]:
            bench.proxy.set()
            before = bench.proxy.requests
            print(f"{scenario(bench)} ({bench.proxy.requests - before} requests)", flush=True)
        print("faults fired:", flush=True)
        for name, count in sorted(bench.proxy.counts.items()):
            print(f"  {count:4} × {name}", flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

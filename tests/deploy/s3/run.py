"""Runs a study with its results in a bucket and breaks things meanwhile:

    python run.py PROGRAMS STUDY EXPECTED PLACE

STUDY is the folder of study.toml and the model, EXPECTED the output of the same study in a directory, without faults. The server is moto's:
no S3 of anybody's has been asked. Every scenario ends with the bytes of EXPECTED, and its faults must have fired."""

import collections
import concurrent.futures
import sys

import analysts
import commands
import faults
import suite
from bench import Bench

# Most of a scenario is waiting.
AT_A_TIME = 3


def main(programs, study, expected, place):
    bench = Bench(programs, study, expected, place)
    counts = collections.Counter()

    def play(scenario):
        own = bench.apart()
        said = scenario(own)
        assert own.proxy.requests > 0 or scenario in UNSEEN, f"{scenario.__name__}: nothing went through the proxy"
        counts.update(own.proxy.counts)
        print(said, flush=True)

    try:
        play(commands.one_machine)
        with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
            scenarios = [*faults.SCENARIOS, *commands.SCENARIOS, analysts.readers, suite.store_tests]
            playing = [pool.submit(play, scenario) for scenario in scenarios]
            for played in concurrent.futures.as_completed(playing):
                if played.exception():
                    pool.shutdown(wait=False, cancel_futures=True)
                    bench.close()
                played.result()
        print("faults fired:", flush=True)
        for name, count in sorted(counts.items()):
            print(f"  {count:4} × {name}", flush=True)
    finally:
        bench.close()


# They bring another proxy, ask the server itself, or count for themselves.
UNSEEN = {commands.encrypted, analysts.readers, suite.store_tests}

if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Random faults on real processes: python3 tests/faults/run.py [--schedules 200] [--seed 1] [--programs target/release]

Each schedule is one run of a small study by a coordinator and two to four workers, which are killed, stopped, told to leave, cut off,
starved of memory or disk, doubled and drained at random moments, and started again as Slurm or Kubernetes would. Each must end complete,
with the bytes of an undisturbed run, and its trace must replay. Schedule number N has the seed SEED + N: `--seed THAT --schedules 1` runs
one again; what is random is drawn from the seed, when the machine gets to it is not.

Everything is in namespaces of its own and vanishes with them, or is on loopback. It uses network namespaces, nft and tmpfs, for which it
need not be root where users may make namespaces, and memory cgroups, for which it must; what is missing is SKIPPED, and proxies stand in for
the network. Needs Python 3.11 and Linux. It is no simulation, and says
nothing about GPUs or about more machines than one."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import types

import kinds
import machine
import memory
from schedule import Schedule
from study import Programs, Study
from table import Table

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve()
INTERRUPTED = 130


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "target/release", help="folder of the two programs")
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule")
    parser.add_argument("--only", default="", help="only kinds of faults with this in their names")
    parser.add_argument("--portable", action="store_true", help="use nothing that a container would not give")
    parser.add_argument("--keep", action="store_true", help="keep the logs of all schedules, not only of those that failed")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    return parser.parse_args()


def outside(flags):
    """Makes what must outlive the namespaces, runs this program in them, and removes it again."""
    missing = Programs(flags.programs).missing()
    if missing:
        sys.exit(f"FAILED: no {' and no '.join(missing)}: cargo build --release --workspace")
    enclosure = None if flags.portable else machine.enclosure()
    base = "--portable" if flags.portable else machine.make_memory(f"babelquant-faults-{os.getpid()}")
    place = pathlib.Path(tempfile.mkdtemp(prefix="babelquant-faults-"))
    inside = json.dumps({"place": str(place), "enclosed": enclosure is not None, "base": base if isinstance(base, str) else
                         [str(base[0]), base[1]]})
    command = [*(enclosure or []), sys.executable, str(HERE), *sys.argv[1:], "--inside", inside]
    child = subprocess.Popen(command, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, process_group=0)
    # Whoever stops this stops the schedules; they clean up, then this does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.killpg(child.pid, number))
    try:
        code = child.wait()
    finally:
        if not isinstance(base, str):
            memory.remove(base[0])
        shutil.rmtree(place / "study", ignore_errors=True)
        if not any(place.iterdir()):
            place.rmdir()
    sys.exit(code if code >= 0 else 128 - code)


class Interrupted(Exception):
    pass


def interrupt(*_):
    raise Interrupted


def inside(flags, given):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    place = pathlib.Path(given["place"])
    base = given["base"] if isinstance(given["base"], str) else (pathlib.Path(given["base"][0]), given["base"][1])
    having = machine.Machine(given["enclosed"], base)
    try:
        complaint = all_schedules(flags, having, place)
    except Interrupted:
        complaint = "interrupted"
    finally:
        having.network.close()
    print(f"FAILED: {complaint}" if complaint else "PASSED", flush=True)
    return INTERRUPTED if complaint == "interrupted" else int(complaint is not None)


def all_schedules(flags, having, place):
    chosen = [kind for kind in kinds.KINDS if flags.only in kind.name]
    table = Table([kind for kind in chosen if kind.needs not in having.lacks],
                  {kind.name: having.lacks[kind.needs] for kind in chosen if kind.needs in having.lacks})
    available = [kind for kind in chosen if kind.name in table.rows]
    for name, reason in table.skipped.items():
        print(f"SKIPPED: {name}: {reason}")
    (place / "study").mkdir()
    study = Study(Programs(flags.programs.resolve()), place / "study", {"127.0.0.1", having.network.host})
    print(f"undisturbed run: {len(study.expected)} files; network of {having.network.name}", flush=True)
    scene = types.SimpleNamespace(study=study, network=having.network, memory=having.memory)
    try:
        for seed in range(flags.seed, flags.seed + flags.schedules):
            logs = place / f"seed-{seed}"
            try:
                outcome = Schedule(seed, available, having.network.name).run(scene, logs)
            except Interrupted:
                shutil.rmtree(logs)
                raise
            report(outcome, logs, flags.keep)
            table.add(outcome)
    finally:
        print(table.text(), flush=True)
    return table.complaint()


def report(outcome, logs, keep):
    print(outcome.line())
    if outcome.error is not None:
        print(f"    FAILED: {outcome.error}\n    {outcome.schedule.words()}")
        print(f"    again: --seed {outcome.schedule.seed} --schedules 1; logs: {logs}")
    elif not keep:
        shutil.rmtree(logs)
    sys.stdout.flush()


def main():
    flags = arguments()
    sys.exit(inside(flags, json.loads(flags.inside)) if flags.inside else outside(flags))


if __name__ == "__main__":
    main()

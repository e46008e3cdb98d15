"""A memory cgroup for each worker, in which a neighbour takes the memory until the kernel kills the worker. Version 1 or 2 of cgroups."""

import os
import pathlib
import subprocess

SPARE_BYTES = 16 << 20
# Takes memory bit by bit; the kernel must not choose it.
NEIGHBOUR = """
import time
taken = []
while True:
    taken.append(bytearray(1 << 20))
    time.sleep(0.002)
"""


def parent():
    """Where cgroups with a memory controller can be made: the folder, and whether it is version 2; None where there is none."""
    own = dict(line.strip().split(":", 2)[1:] for line in open("/proc/self/cgroup"))
    first = pathlib.Path("/sys/fs/cgroup/memory") / own.get("memory", "/").lstrip("/")
    if (first / "memory.limit_in_bytes").exists():
        return first, False
    folder = pathlib.Path("/sys/fs/cgroup") / own.get("", "/").lstrip("/")
    for folder in (folder, *folder.parents):
        control = folder / "cgroup.subtree_control"
        if control.exists() and "memory" in control.read_text().split():
            return folder, True
    return None


def make(name):
    """A cgroup to make others in, or None; and why not."""
    try:
        found = parent()
        if found is None:
            return None, "no cgroup with a memory controller"
        folder, second = found
        folder = folder / name
        folder.mkdir()
        if second:
            (folder / "cgroup.subtree_control").write_text("+memory")
        return (folder, second), ""
    except OSError as error:
        return None, str(error)


def remove(folder):
    for child in [*(child for child in folder.iterdir() if child.is_dir()), folder]:
        child.rmdir()


class Memory:
    """The cgroup of one worker."""

    def __init__(self, base, name):
        folder, self.second = base
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        self.neighbour = None

    def enter(self, command):
        """The command, in the cgroup."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    def usage(self):
        return int((self.folder / ("memory.current" if self.second else "memory.usage_in_bytes")).read_text())

    def limit(self, value):
        (self.folder / ("memory.max" if self.second else "memory.limit_in_bytes")).write_text(value)

    def kills(self):
        """How many processes the kernel has killed in it."""
        events = (self.folder / ("memory.events" if self.second else "memory.oom_control")).read_text().split()
        return int(events[events.index("oom_kill") + 1])

    def fill(self):
        self.limit(str(self.usage() + SPARE_BYTES))
        script = 'echo -1000 >/proc/self/oom_score_adj && exec python3 -c "$0"'
        self.neighbour = subprocess.Popen(self.enter(["sh", "-c", script, NEIGHBOUR]), stdin=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "PYTHONMALLOC": "malloc"})

    def heal(self):
        if self.neighbour is not None:
            self.neighbour.kill()
            self.neighbour.wait()
            self.neighbour = None
        self.limit("max" if self.second else "-1")

"""A memory cgroup for each worker, in which a neighbour takes the memory until the kernel kills the worker. Version 1 or 2 of cgroups."""

import contextlib
import pathlib
import subprocess
import sys
import time

SPARE_BYTES = 16 << 20
PATIENCE_SECONDS = 10
# Takes memory bit by bit.
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
        return None, error.strerror


def remove(folder):
    """Once the last processes in it are gone."""
    end = time.monotonic() + PATIENCE_SECONDS
    for child in [*(child for child in folder.iterdir() if child.is_dir()), folder]:
        while True:
            try:
                child.rmdir()
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)


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
        for process in (self.folder / "cgroup.procs").read_text().split():
            # The kernel is to choose the worker, not its neighbour.
            with contextlib.suppress(OSError):
                pathlib.Path(f"/proc/{process}/oom_score_adj").write_text("1000")
        self.neighbour = subprocess.Popen(self.enter([sys.executable, "-c", NEIGHBOUR]), stdin=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL, start_new_session=True)

    def heal(self):
        if self.neighbour is not None:
            self.neighbour.kill()
            self.neighbour.wait()
            self.neighbour = None
        self.limit("max" if self.second else "-1")

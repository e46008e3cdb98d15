"""What Slurm, Kubernetes or systemd do for a program: start it, and start it again where its exit code asks for that. One `Placed` is one
program in one place; the faults break it, and do not start it."""

import time

from process import Process

# Unfinished; superseded, which a launcher would leave at that: here somebody insists; and deaths by SIGKILL and SIGTERM, which reach a program
# at any time.
AGAIN = (75, 76, 137, 143)
# The run is over for it.
OVER = (0, 3)
PAUSE_SECONDS = 0.3


class Broken(Exception):
    """The schedule has failed, and why."""


class Placed:
    """`codes` are the exit codes so far. Where it is `once`, nothing starts it again."""

    def __init__(self, name, command, place, variables, once=False):
        self.name, self.command, self.place, self.variables, self.once = name, command, place, variables, once
        self.codes, self.starts, self.due = [], 0, None
        self.process = None
        self.start()

    def start(self):
        self.starts += 1
        self.due = None
        self.process = Process(self.command, self.place / f"{self.name}.{self.starts}.log", self.variables)

    def tick(self):
        if self.due is not None:
            if time.monotonic() >= self.due:
                self.start()
            return
        code = self.process.code()
        if code is None or len(self.codes) == self.starts:
            return
        self.process.text()
        self.codes.append(code)
        if code in AGAIN and not self.once:
            self.due = time.monotonic() + PAUSE_SECONDS
        elif code not in AGAIN + OVER:
            raise Broken(f"{self.name} ended with {code}: {self.last_words()}")

    def last_words(self):
        lines = self.process.text().strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def runs(self):
        return self.process.runs()

    def is_over(self):
        """It has ended, and is not to be started again."""
        return len(self.codes) == self.starts and self.due is None

    def logs(self):
        return [self.place / f"{self.name}.{start}.log" for start in range(1, self.starts + 1)]

    def end(self):
        self.process.end()

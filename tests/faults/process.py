"""One process of a program under test: its log, its exit code as a shell says it, signals, and whether it is connected to somebody. It
starts nothing again (`placer`)."""

import os
import re
import signal
import subprocess

ESTABLISHED = "01"
LOGS = "info,babelquant_worker=debug,babelquant_coordinator=debug"


class Process:
    def __init__(self, command, log, variables):
        self.log, self.seen = log, ""
        variables = {**os.environ, "RUST_LOG": LOGS, "NO_COLOR": "1", **variables}
        with log.open("wb") as output:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables,
                                          start_new_session=True)
        self.reader = log.open(errors="replace")
        self.holders = 0

    def code(self):
        """None while it runs; a death by signal N is 128 + N."""
        code = self.child.poll()
        return code if code is None or code >= 0 else 128 - code

    def runs(self):
        return self.code() is None

    def text(self):
        self.seen += self.reader.read()
        return self.seen

    def said(self, words):
        return words in self.text()

    def signal(self, number):
        if self.runs():
            self.child.send_signal(number)

    def hold(self):
        """Stops it, until everyone who held it has released it."""
        self.holders += 1
        self.signal(signal.SIGSTOP)

    def release(self):
        self.holders -= 1
        if self.holders == 0:
            self.signal(signal.SIGCONT)

    def end(self):
        """Kills it, in whatever state it is."""
        self.signal(signal.SIGKILL)
        self.child.wait()
        self.text()
        self.reader.close()

    def is_connected(self):
        """True while it has a TCP connection."""
        sockets = set()
        try:
            for name in os.listdir(f"/proc/{self.child.pid}/fd"):
                link = os.readlink(f"/proc/{self.child.pid}/fd/{name}")
                sockets.update(re.findall(r"socket:\[(\d+)\]", link))
            with open(f"/proc/{self.child.pid}/net/tcp") as table:
                rows = [line.split() for line in table.readlines()[1:]]
        except OSError:
            return False
        return any(row[3] == ESTABLISHED and row[9] in sockets for row in rows)

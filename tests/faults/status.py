"""How a run is, as `babelquant status --json` says it: asked again and again, never waited for."""

import json
import subprocess
import time

EVERY_SECONDS = 0.1
PATIENCE_SECONDS = 1.0


class Status:
    """`view` is the last answer, None where the last question had none. Answers and questions without one are counted."""

    def __init__(self):
        self.view, self.answers, self.unanswered = None, 0, 0
        self.done, self.units = 0, None
        self.asked, self.asking = 0.0, None

    def tick(self, command):
        """Looks for an answer, or asks; `command` is None where nobody can be asked."""
        now = time.monotonic()
        if self.asking is None:
            if command is None:
                self.view = None
            elif now - self.asked >= EVERY_SECONDS:
                self.asked = now
                self.asking = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            return
        if self.asking.poll() is not None:
            answer, _ = self.asking.communicate()
            self.take(answer if self.asking.returncode == 0 else None)
        elif now - self.asked >= PATIENCE_SECONDS:
            self.close()
            self.take(None)
            return
        else:
            return
        self.asking = None

    def take(self, answer):
        self.view = json.loads(answer) if answer else None
        if self.view is None:
            self.unanswered += 1
            return
        self.answers += 1
        self.units = self.view["units"]
        self.done = max(self.done, self.view["done"])

    def sessions(self, name):
        """How many sessions of workers of this name the coordinator knows; None where it did not answer."""
        return None if self.view is None else sum(worker["name"] == name for worker in self.view["workers"])

    def close(self):
        if self.asking is not None:
            self.asking.kill()
            self.asking.communicate()
            self.asking = None

"""A coordinator and its workers, placed and supervised; what faults may do to them, and whether they end as they should. Which faults, and
when, is the schedule's."""

import re
import shutil
import signal
import subprocess
import time

from disk import Disk
from memory import Memory
from placer import OVER, Broken, Placed
from status import Status
from study import content, differences

# Workers, newcomers and twins at a time.
PLACES = 10
# How long those who are left behind may take to hear that the run is over, and then to leave.
COURTESY_SECONDS, FAREWELL_SECONDS = 2, 30
WRONG = ("panicked at", "two results of one unit differ", "a result was rejected", "a unit is quarantined")


class Cluster:
    """`scene` is what all schedules share: study, network, memory. `options` are this schedule's."""

    def __init__(self, scene, options, place):
        self.scene, self.options, self.place = scene, options, place
        self.study, self.network = scene.study, scene.network
        self.status, self.extras, self.calls, self.memories = Status(), [], [], {}
        self.numbers = {}
        self.disk = Disk(place / "disk") if options.disk else None
        self.out = (self.disk.folder if self.disk else place) / "out"
        self.file = place / "coordinator.url"
        self.network.start(self.target)
        self.coordinator, self.workers = None, []

    def start(self):
        self.coordinator = self.coordinator_placed("coordinator", self.options.port or 0, self.options.port == 0)
        self.workers = [self.worker_placed(f"w{number}") for number in range(1, self.options.workers + 1)]

    def everyone(self):
        return [*([self.coordinator] if self.coordinator else []), *self.workers, *self.extras]

    # Starting

    def coordinator_placed(self, name, port, announced, once=False):
        command = [str(self.study.programs.babelquant), "serve", str(self.study.file), "--out", str(self.out)]
        command += ["--listen", f"{self.network.host}:{port}", "--lease-ms", str(self.options.lease_ms), "--sync-ms", "200"]
        command += ["--events", str(self.place / f"{name}.events"), *self.study.papers(self.options.access, "coordinator")]
        if announced:
            command += ["--coordinator-file", str(self.file)]
        return Placed(name, command, self.place, self.study.variables, once)

    def worker_placed(self, name, called=None, once=False):
        number = next(number for number in range(1, PLACES + 1) if self.is_free(number))
        command = [str(self.study.programs.worker), "--models", str(self.study.models), "--name", called or name]
        command += ["--slots", str(self.options.slots), "--give-up", "120", *self.whereabouts(number)]
        command += ["--grace", str(self.options.grace)]
        command += self.study.papers(self.options.access, "worker")
        if self.scene.memory is not None:
            self.memories[name] = Memory(self.scene.memory, f"place{number}")
            command = self.memories[name].enter(command)
        command = self.network.worker_command(number, command)
        placed = Placed(name, command, self.place, self.study.variables, once)
        self.numbers[number] = placed
        return placed

    def is_free(self, number):
        return number not in self.numbers or (self.numbers[number].once and not self.numbers[number].runs())

    def number(self, worker):
        return next(number for number, placed in self.numbers.items() if placed is worker)

    def whereabouts(self, number):
        address = self.network.address_for(number)
        scheme = "https" if self.options.access == "certificates" else "http"
        if address is not None:
            return ["--coordinator", f"{scheme}://{address}"]
        if self.options.port:
            return ["--coordinator", f"{scheme}://{self.network.host}:{self.options.port}"]
        return ["--coordinator-file", str(self.file)]

    def target(self):
        """Where the coordinator listens, for those who pass on to it."""
        host, port = self.file.read_text().strip().split("://")[1].rsplit(":", 1) if self.file.exists() else ("127.0.0.1", 1)
        return host, int(port)

    def newcomer(self):
        """One more worker, which nothing starts again."""
        self.extras.append(self.worker_placed(f"new{len(self.extras) + 1}", once=True))
        return self.extras[-1]

    def twin(self, worker):
        """A second process that says it is this worker."""
        self.extras.append(self.worker_placed(f"{worker.name}-twin", called=worker.name, once=True))
        return self.extras[-1]

    def rival(self):
        """A second coordinator of the same output. Workers find it where they find theirs through a file."""
        self.extras.append(self.coordinator_placed(f"rival{len(self.extras) + 1}", 0, self.options.port == 0, once=True))
        return self.extras[-1]

    # Asking

    def address(self):
        """The coordinator's address, while it is up."""
        found = re.search(r"listening on (\S+)", self.coordinator.process.text()) if self.coordinator.runs() else None
        return found and found[1]

    def command(self, name, *flags):
        """A command for an operator; None where there is nobody to call."""
        address = self.address()
        papers = self.study.papers(self.options.access, "admin")
        return address and [str(self.study.programs.babelquant), name, address, *papers, *flags]

    def call(self, name, *flags, heard=(0,)):
        """Says something as an operator until it is heard, and has one of these exit codes; for faults, which wait between the polls."""
        while True:
            command = self.command(name, *flags)
            if command is not None:
                calling = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.calls.append(calling)
                while calling.poll() is None:
                    yield
                if calling.returncode in heard:
                    return
            yield

    def sessions(self, worker):
        return self.status.sessions(worker.name)

    def is_complete(self):
        return (self.out / "_SUCCESS.json").exists()

    # Watching

    def tick(self):
        for placed in self.everyone():
            placed.tick()
        for worker in (*self.workers, *self.extras):
            if worker.is_over() and worker.codes[-1] in OVER and not self.is_complete() \
                    and not worker.process.said("drained by the operator"):
                raise Broken(f"{worker.name} ended with {worker.codes[-1]} although the run is not complete")
        self.status.tick(self.command("status", "--json"))

    def is_over(self):
        return self.coordinator.is_over()

    # Ending

    def finish(self):
        """The run is over: lets everyone leave, then looks at what is left."""
        for placed in self.everyone():
            placed.once, placed.due = True, None
        self.until_left(COURTESY_SECONDS)
        for placed in self.everyone():
            placed.process.signal(signal.SIGTERM)
        self.until_left(FAREWELL_SECONDS)
        for placed in self.everyone():
            placed.tick()
            if placed.runs():
                raise Broken(f"{placed.name} does not leave after SIGTERM")
        if self.coordinator.codes[-1] != 0:
            raise Broken(f"the coordinator ended with {self.coordinator.codes[-1]}: {self.coordinator.last_words()}")
        self.check()

    def until_left(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(placed.runs() for placed in self.everyone()):
            time.sleep(0.02)

    def check(self):
        differing = differences(content(self.out), self.study.expected)
        if differing:
            raise Broken(f"not as in the undisturbed run: {', '.join(differing)}")
        for log in self.place.glob("*.log"):
            text = log.read_text(errors="replace")
            for words in WRONG:
                if words in text:
                    raise Broken(f"{log.name} says: {words}")
        for events in self.place.glob("*.events"):
            if events.stat().st_size == 0:
                # A coordinator that came when the run was over.
                continue
            replay = subprocess.run([self.study.programs.babelquant, "replay", events], capture_output=True, text=True)
            if replay.returncode != 0:
                raise Broken(f"replay of {events.name} ended with {replay.returncode}: {replay.stderr.strip()[-500:]}")

    def close(self, failed):
        """Ends whatever is left, in whatever state; what has failed is kept."""
        self.status.close()
        for placed in self.everyone():
            placed.end()
        for calling in self.calls:
            calling.kill()
            calling.wait()
        for memory in self.memories.values():
            memory.heal()
        self.network.end()
        if self.disk is not None:
            if failed and self.out.exists():
                shutil.copytree(self.out, self.place / "out")
            self.disk.close()

    def codes(self):
        """Exit codes of everyone, as words."""
        return ", ".join(f"{placed.name} {' '.join(map(str, placed.codes)) or 'none'}" for placed in self.everyone())

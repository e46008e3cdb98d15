"""A schedule: which faults, on whom, after how many units, all from one seed; and the run of it."""

import dataclasses
import random
import time

from cluster import Cluster
from kinds import Kind
from placer import Broken

# A unit that breaks three times is given up, as it should be; so that none is, few faults of a schedule may charge units.
CHARGES_MAX = 2
# The coordinator's, where only its namespace can be asked for it.
PORT = 7070
# The last part of a run is too short to break things in; but some faults come when every unit is done.
LAST_SHARE, DONE_ONE_IN = 0.8, 12
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 240


@dataclasses.dataclass
class Options:
    workers: int
    slots: int
    lease_ms: int
    access: str
    # 0: any, and workers find it through the coordinator file.
    port: int
    disk: bool
    # How long a worker that is told to leave finishes what it has begun.
    grace: int


class Fault:
    """A kind at a moment. `length` is how long, in what the kind counts."""

    def __init__(self, kind, share, target, length):
        self.kind, self.share, self.target, self.length = kind, share, target, length
        self.acting, self.over, self.fired_at, self.done = None, False, None, 0

    def fire(self):
        self.fired_at = self.done

    def words(self):
        return f"{self.share:.2f} {self.kind.name} (w{self.target + 1}, {self.length})"


class Schedule:
    """What follows from a seed on a machine that has some things: `has` names them, `network` the kind of network."""

    def __init__(self, seed, kinds: list[Kind], network):
        draw = random.Random(seed)
        self.seed = seed
        workers = draw.randint(2, 4)
        access = draw.choice(["certificates", "tokens"] + ["open"] * (network == "proxies"))
        port = PORT * draw.randint(0, 1) * (network == "namespaces")
        self.faults = sorted(self.drawn(draw, kinds, workers), key=lambda fault: fault.share)
        disk = any(fault.kind.needs == "disk" for fault in self.faults)
        slots, lease_ms, grace = draw.choice([4, 8, 16]), draw.choice([2000, 3000, 4000]), draw.choice([0, 2])
        self.options = Options(workers, slots, lease_ms, access, port, disk, grace)

    def drawn(self, draw, kinds, workers):
        charges, taken = 0, set()
        for _ in range(draw.randint(2, 6)):
            (kind,), target = draw.choices(kinds, [kind.weight for kind in kinds]), draw.randrange(workers)
            share = 1.0 if draw.randrange(DONE_ONE_IN) == 0 else draw.uniform(0, LAST_SHARE)
            fault = Fault(kind, share, target, draw.randint(1, 6))
            if charges + kind.charges > CHARGES_MAX or (kind.alone and target in taken):
                continue
            charges += kind.charges
            taken.update([target] if kind.alone else [])
            yield fault

    def words(self):
        return f"{self.options}; {'; '.join(fault.words() for fault in self.faults)}"

    def run(self, scene, place):
        """Runs it; what became of it."""
        place.mkdir()
        began = time.monotonic()
        cluster, error = Cluster(scene, self.options, place), None
        try:
            cluster.start()
            self.drive(cluster, began)
            cluster.finish()
        except Broken as broken:
            error = str(broken)
        finally:
            self.mend()
            cluster.close(failed=error is not None)
        return Outcome(self, time.monotonic() - began, cluster.codes(), error)

    def drive(self, cluster, began):
        """Polls until the coordinator has ended for good; faults act at their moments."""
        while not cluster.is_over():
            cluster.tick()
            for fault in self.faults:
                self.advance(fault, cluster)
            if time.monotonic() - began > PATIENCE_SECONDS:
                acting = [fault.kind.name for fault in self.faults if fault.acting and not fault.over]
                raise Broken(f"the run does not end: {cluster.status.done} of {cluster.status.units} units; acting: {acting}")
            time.sleep(POLL_SECONDS)
        self.mend()

    def advance(self, fault, cluster):
        status = cluster.status
        fault.done = status.done
        if fault.acting is None:
            if fault.share and (status.units is None or status.done < fault.share * status.units):
                return
            fault.acting = fault.kind.act(fault, cluster)
        fault.over = next(fault.acting, fault) is fault

    def mend(self):
        """Takes back what still acts."""
        for fault in self.faults:
            if fault.acting is not None:
                fault.acting.close()


@dataclasses.dataclass
class Outcome:
    schedule: Schedule
    seconds: float
    codes: str
    error: str | None

    def line(self):
        faults = self.schedule.faults
        fired = [f"{fault.fired_at} {fault.kind.name}" for fault in faults if fault.fired_at is not None]
        late = [fault.kind.name for fault in faults if fault.fired_at is None]
        words = [f"seed {self.schedule.seed}", f"{self.seconds:.1f} s", "; ".join(fired) or "nothing fired"]
        words += [f"too late: {'; '.join(late)}"] if late else []
        return " | ".join([*words, self.codes])

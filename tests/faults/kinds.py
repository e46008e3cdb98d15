"""The kinds of faults, by name: what each does, what the machine must have for it, what it may cost, and how often it comes."""

import dataclasses
import signal
import typing

import other_faults
import worker_faults


@dataclasses.dataclass(frozen=True)
class Kind:
    """`charges`: units of its worker may be charged with it. `alone`: no other such fault has the same worker."""

    name: str
    act: typing.Callable
    needs: str | None = None
    charges: bool = False
    alone: bool = False
    weight: int = 2


PHASES = {
    "registering": worker_faults.signalled_registering,
    "loading": worker_faults.signalled_loading,
    "computing": worker_faults.signalled_computing,
    "draining": worker_faults.signalled_draining,
}

KINDS = [
    Kind("worker: SIGKILL", worker_faults.killed, charges=True, weight=4),
    Kind("worker: SIGSTOP longer than its lease", worker_faults.stopped, charges=True, alone=True),
    *[Kind(f"worker: {number.name} while {phase}", act(number), weight=1)
      for number in (signal.SIGTERM, signal.SIGUSR1) for phase, act in PHASES.items()],
    Kind("worker: SIGTERM twice", worker_faults.signalled_twice),
    Kind("worker: out of the memory of its cgroup", worker_faults.out_of_memory, needs="memory", charges=True),
    Kind("worker: drained, and taken back", worker_faults.drained),
    Kind("worker: a twin of its name", worker_faults.twinned, alone=True),
    Kind("coordinator: SIGKILL", other_faults.killed, weight=4),
    Kind("coordinator: SIGSTOP", other_faults.stopped),
    Kind("coordinator: SIGTERM", other_faults.terminated),
    Kind("coordinator: drained", other_faults.drained),
    Kind("coordinator: a second one on its output", other_faults.rivalled),
    Kind("network: both ways cut", other_faults.cut("up", "down"), charges=True, alone=True),
    Kind("network: worker to coordinator cut", other_faults.cut("up"), charges=True, alone=True),
    Kind("network: coordinator to worker cut", other_faults.cut("down"), charges=True, alone=True),
    Kind("network: connections reset", other_faults.reset, alone=True),
    Kind("disk: full", other_faults.disk_full, needs="disk"),
]

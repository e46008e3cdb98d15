"""Faults of coordinators, of the network and of the disk; as those of workers (`worker_faults`)."""

import signal

from worker_faults import SUPERSEDED, UNFINISHED, ended, ended_with, known, listening

TAKEN_OVER = "another coordinator has taken over"
# A cut of at most so many polls is mended before the lease is over.
BRIEF = 3


def killed(fault, cluster):
    """Every third time again as soon as it is back, before it listens."""
    process = yield from listening(cluster)
    process.signal(signal.SIGKILL)
    yield from ended(process)
    fault.fire()
    if fault.length % 3 == 0:
        while cluster.coordinator.process is process:
            yield
        cluster.coordinator.process.signal(signal.SIGKILL)


def stopped(fault, cluster):
    """For some questions that nobody answers, a second each."""
    process = yield from listening(cluster)
    until = cluster.status.unanswered + fault.length
    process.hold()
    try:
        while process.runs() and cluster.status.unanswered < until:
            yield
        if process.runs():
            fault.fire()
    finally:
        process.release()


def terminated(fault, cluster):
    process = yield from listening(cluster)
    process.signal(signal.SIGTERM)
    code = yield from ended(process)
    if code == UNFINISHED:
        fault.fire()


def drained(fault, cluster):
    """By the operator; whatever drains it, it is started again."""
    process = yield from listening(cluster)
    yield from cluster.call("drain")
    code = yield from ended(process)
    if code == UNFINISHED:
        fault.fire()


def rivalled(fault, cluster):
    """By a second coordinator on the same output: whoever finds that the other came later steps down."""
    yield from listening(cluster)
    rival = cluster.rival()
    processes = [rival.process]
    while not any(process.said(TAKEN_OVER) for process in processes):
        if cluster.coordinator.process not in processes:
            processes.append(cluster.coordinator.process)
        yield
    (process, *_) = [process for process in processes if process.said(TAKEN_OVER)]
    placed = rival if process is rival.process else cluster.coordinator
    yield from ended_with(placed, process, [SUPERSEDED])
    fault.fire()


def next_answer(cluster):
    answers = cluster.status.answers
    while cluster.status.answers == answers:
        yield


def cut(*ways):
    def act(fault, cluster):
        """Briefly, or until the coordinator has given the worker up."""
        worker, _ = yield from known(cluster, fault.target)
        number, network = cluster.number(worker), cluster.network
        before = network.lost(number, ways)
        network.cut(number, ways)
        try:
            while True:
                yield from next_answer(cluster)
                lost = network.lost(number, ways) - before
                if lost > 0 and (cluster.sessions(worker) == 0 or fault.length <= BRIEF <= lost):
                    break
            fault.fire()
        finally:
            network.heal(number)

    return act


def reset(fault, cluster):
    """Its connections end, and so do some that it makes then."""
    worker, _ = yield from known(cluster, fault.target)
    number, network = cluster.number(worker), cluster.network
    before = network.lost(number, ["up"])
    network.reset(number)
    try:
        while network.lost(number, ["up"]) - before < fault.length:
            yield from next_answer(cluster)
        fault.fire()
    finally:
        network.heal(number)


def disk_full(fault, cluster):
    """Until the coordinator has said so a few times, or has ended of it."""
    cluster.disk.fill()
    try:
        seen, ends = 0, len(cluster.coordinator.codes)
        while seen < fault.length:
            answers = cluster.status.answers
            yield
            view = cluster.status.view
            if cluster.status.answers > answers and view["state"] == "degraded":
                seen += 1
            if len(cluster.coordinator.codes) > ends and cluster.coordinator.process.said("No space left"):
                seen, ends = seen + 1, len(cluster.coordinator.codes)
        fault.fire()
    finally:
        cluster.disk.empty()

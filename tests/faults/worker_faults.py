"""Faults of workers. Each is a generator that is resumed at every poll: it breaks something, waits until that had its effect, says
`fault.fire()`, and mends what does not mend itself."""

import signal

from placer import Broken

COMPLETE, UNFINISHED, SUPERSEDED, KILLED = 0, 75, 76, 137


def ended(process):
    while process.runs():
        yield
    return process.code()


def ended_with(placed, process, codes):
    code = yield from ended(process)
    if code not in codes:
        raise Broken(f"{placed.name} ended with {code}, not with {' or '.join(map(str, codes))}: {placed.last_words()}")
    return code


def sent_away(fault, placed, process, number, is_in_phase=True):
    """Signals a worker, which must then leave unfinished, unless another fault or the end of the run is quicker."""
    process.signal(number)
    code = yield from ended_with(placed, process, [UNFINISHED, COMPLETE, KILLED])
    if is_in_phase and code == UNFINISHED:
        fault.fire()


def working(cluster, target):
    """The process of a worker that has registered."""
    worker = cluster.workers[target % len(cluster.workers)]
    while not (worker.runs() and worker.process.said("registered")):
        yield
    return worker, worker.process


def known(cluster, target):
    """As `working`, and the coordinator says so."""
    worker, process = yield from working(cluster, target)
    while not (process.runs() and cluster.sessions(worker)):
        yield
        worker, process = yield from working(cluster, target)
    return worker, process


def listening(cluster):
    """The coordinator's process, once it listens."""
    while cluster.address() is None:
        yield
    return cluster.coordinator.process


def killed(fault, cluster):
    _, process = yield from working(cluster, fault.target)
    process.signal(signal.SIGKILL)
    yield from ended(process)
    fault.fire()


def stopped(fault, cluster):
    """Until the coordinator has given it up."""
    worker, process = yield from known(cluster, fault.target)
    process.hold()
    try:
        while process.runs() and cluster.sessions(worker) != 0:
            yield
        if process.runs():
            fault.fire()
    finally:
        process.release()


def signalled_registering(number):
    def act(fault, cluster):
        """The coordinator is stopped, so that the newcomer waits for its answer."""
        coordinator = yield from listening(cluster)
        coordinator.hold()
        try:
            newcomer = cluster.newcomer()
            while newcomer.runs() and not newcomer.process.is_connected():
                yield
            yield from sent_away(fault, newcomer, newcomer.process, number, not newcomer.process.said("registered"))
        finally:
            coordinator.release()

    return act


def signalled_loading(number):
    def act(fault, cluster):
        """Between its first grant and its first result it reads the model."""
        newcomer = cluster.newcomer()
        while newcomer.runs() and not newcomer.process.said("computing"):
            yield
        yield from sent_away(fault, newcomer, newcomer.process, number, not newcomer.process.said("finished"))

    return act


def signalled_computing(number):
    def act(fault, cluster):
        worker, process = yield from working(cluster, fault.target)
        while process.runs() and not process.said("finished"):
            yield
        yield from sent_away(fault, worker, process, number)

    return act


def signalled_draining(number):
    def act(fault, cluster):
        """Once the operator has told it to leave, while it finishes what it computes."""
        newcomer = cluster.newcomer()
        while newcomer.runs() and not newcomer.process.said("finished"):
            yield
        yield from drained_out(cluster, newcomer, newcomer.process, "finishing what is begun")
        yield from sent_away(fault, newcomer, newcomer.process, number)

    return act


def signalled_twice(fault, cluster):
    """The coordinator is stopped, so that the worker is still leaving when the second SIGTERM comes."""
    coordinator = yield from listening(cluster)
    worker, process = yield from working(cluster, fault.target)
    coordinator.hold()
    try:
        process.signal(signal.SIGTERM)
        while process.runs() and not process.said("leaving:"):
            yield
        yield from sent_away(fault, worker, process, signal.SIGTERM, is_in_phase=process.runs())
    finally:
        coordinator.release()


def drained_out(cluster, placed, process, words):
    """Drains the worker until it says so; a coordinator that starts again has forgotten it."""
    while process.runs() and not process.said(words):
        starts = cluster.coordinator.starts
        yield from cluster.call("drain", "--worker", placed.name)
        while process.runs() and not process.said(words) and starts == cluster.coordinator.starts:
            yield


def drained(fault, cluster):
    """By the operator, who then takes it back; the machine is used again."""
    worker, process = yield from working(cluster, fault.target)
    yield from drained_out(cluster, worker, process, "drained by the operator")
    code = yield from ended(process)
    # 2: it has forgotten it by itself, as it was started again.
    yield from cluster.call("drain", "--worker", worker.name, "--undo", heard=(0, 2))
    while worker.due is not None or worker.runs():
        if worker.process is not process and worker.process.said("registered"):
            break
        yield
    if worker.is_over() and not cluster.is_complete():
        worker.start()
    if code == 0:
        fault.fire()


def twinned(fault, cluster):
    """Two processes of one name."""
    worker, _ = yield from known(cluster, fault.target)
    twin = cluster.twin(worker)
    while twin.runs() and (cluster.sessions(worker) or 0) < 2:
        yield
    if twin.runs():
        fault.fire()


def out_of_memory(fault, cluster):
    worker, process = yield from working(cluster, fault.target)
    memory = cluster.memories[worker.name]
    before = memory.kills()
    memory.fill()
    try:
        yield from ended(process)
        if memory.kills() > before:
            fault.fire()
    finally:
        memory.heal()

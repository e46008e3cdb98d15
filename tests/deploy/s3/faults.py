"""What a run survives: faults between the coordinator and its bucket, coordinators that are killed, and two at a time."""

from bench import Coordinator, until, worker
from proxy import Fault

FOREVER = 1 << 30


def put(request):
    return request.method == "PUT"


def get(request):
    return request.method == "GET" and not request.is_list


def get_of_object(request):
    """A GET that finds something: most ask whether there is a successor."""
    return get(request) and "journal/epoch" not in request.key


def delete(request):
    return request.method == "DELETE" or request.target.endswith("?delete")


def listing(request):
    return request.is_list


def commit(request):
    return put(request) and request.key.endswith(".arrow")


def of(prefix, kind):
    return lambda request: kind(request) and request.key.startswith(f"{prefix}/")


def everything(request):
    return True


def hiccups(bench):
    """Faults that come one at a time, each kind several times: before a request is applied, after it, and while it is answered."""
    faults = [
        Fault("list refused, 500", "refuse", listing, times=2),
        Fault("list answer cut", "cut", listing, times=2),
        Fault("list answer lost", "lose", listing, times=2),
        Fault("put refused, 500", "refuse", put, times=3, every=7),
        Fault("put refused, 503 SlowDown", "refuse", put, times=3, every=7, skip=1, status=503),
        Fault("put refused, 409", "refuse", put, times=3, every=7, skip=2, status=409),
        Fault("put refused, 412", "refuse", put, times=3, every=7, skip=3, status=412),
        Fault("put applied, answer lost", "lose", put, times=3, every=7, skip=4),
        Fault("put applied, answered 500", "refuse_after", put, times=3, every=7, skip=5),
        Fault("put slow, 1 s", "dawdle", put, times=3, every=7, skip=6, seconds=1),
        Fault("get refused, 500", "refuse", get_of_object, times=3, every=5),
        Fault("get answer cut", "cut", get_of_object, times=3, every=5, skip=1),
        Fault("get answer lost", "lose", get_of_object, times=3, every=5, skip=2),
        Fault("get slow, 1 s", "dawdle", get_of_object, times=2, every=5, skip=3, seconds=1),
        Fault("delete refused, 500", "refuse", delete, times=2, every=3),
        Fault("delete applied, answer lost", "lose", delete, times=2, every=3, skip=1),
    ]
    bench.proxy.set(*faults)
    coordinator = Coordinator(bench, "hiccups", "hiccups")
    for name in ("hiccups-a", "hiccups-b"):
        worker(bench, name, coordinator)
    coordinator.ends_with(0)
    idle = [fault.name for fault in faults if fault.fired < fault.times]
    assert not idle, f"not fired as often as meant: {idle}"
    return f"{len(faults)} kinds of hiccups: {bench.check('hiccups')} files are those of the run without faults"


def doubt(bench):
    """A commit is applied, nobody learns of it, it cannot be read back, and the coordinator is killed while it does not know."""
    coordinator = Coordinator(bench, "doubt", "doubt")
    lost = Fault("commit applied, answer lost", "lose", commit, skip=2)
    # From then on nothing can be asked for a while: neither whether there is a successor nor what became of the commit.
    unread = Fault("read-back refused, 500", "refuse", lambda request: lost.fired and get(request), times=FOREVER)
    bench.proxy.set(lost, unread)
    worker(bench, "doubt-worker", coordinator)
    coordinator.says("nothing is granted until the output can be written")
    bench.proxy.set()
    coordinator.says("the output can be written again")
    bench.proxy.set(lost := Fault("commit applied, answer lost", "lose", commit, skip=2), unread)
    until("another commit is lost", lambda: lost.fired, coordinator)
    coordinator.kill()
    bench.proxy.set()
    again = Coordinator(bench, "doubt-again", "doubt")
    again.ends_with(0)
    assert unread.fired > 0
    return f"commits in doubt: {bench.check('doubt')} files are those of the run without faults"


def away(bench):
    """The storage cannot be reached for longer than a lease: workers keep their units, and the run resumes alone."""
    coordinator = Coordinator(bench, "away", "away")
    worker(bench, "away-worker", coordinator)
    until("a unit is done", coordinator.has_begun, coordinator)
    bench.proxy.down()
    degraded(bench, coordinator, "cannot")
    bench.proxy.up()
    return resumed(bench, coordinator, "away", "a storage that was away")


def silent(bench):
    """The storage takes requests and answers none, for longer than a lease."""
    coordinator = Coordinator(bench, "silent", "silent")
    worker(bench, "silent-worker", coordinator)
    until("a unit is done", coordinator.has_begun, coordinator)
    bench.proxy.set(Fault("request held", "hold", everything, times=FOREVER))
    degraded(bench, coordinator, "has not answered for")
    bench.proxy.set()
    return resumed(bench, coordinator, "silent", "a storage that was silent")


def degraded(bench, coordinator, reason):
    """Waits until a coordinator says why it is not ready, and for a lease more, in which its worker must stay known."""
    until("the coordinator is not ready", lambda: not coordinator.is_ready(), coordinator)
    code, text = coordinator.http("/readyz")
    assert code == 503 and reason in text, text
    lease = coordinator.LEASE_MS / 1000

    def long_enough():
        shown = coordinator.status(bench)
        assert shown["state"] == "degraded" and len(shown["workers"]) == 1, shown
        return shown["degraded"]["seconds"] > 1.5 * lease

    until("it has been so for longer than a lease", long_enough, coordinator)


def resumed(bench, coordinator, prefix, what):
    coordinator.says("the output can be written again")
    assert coordinator.metric("babelquant_lease_expired_total") == 0, "a worker lost its units although it was never silent"
    coordinator.ends_with(0)
    return f"{what} for longer than a lease: {bench.check(prefix)} files are those of the run without faults"


def killed(bench):
    """The coordinator is killed at four points: before a commit, after one, before a part and after one."""
    part = of("killed", lambda request: put(request) and "/data/" in request.key)
    points = [
        Fault("kill -9 before a commit", "hold", commit, skip=1),
        Fault("kill -9 after a commit", "lose", commit, skip=1),
        Fault("kill -9 before a part", "hold", part, skip=4),
        Fault("kill -9 after a part", "lose", part, skip=4),
    ]
    for number, fault in enumerate(points):
        bench.proxy.set(fault)
        coordinator = Coordinator(bench, f"killed-{number}", "killed")
        if number == 0:
            worker(bench, "killed-worker", coordinator)
        until("the coordinator is where it is to be killed", lambda: fault.fired, coordinator)
        coordinator.kill()
    bench.proxy.set()
    last = Coordinator(bench, "killed-last", "killed")
    last.ends_with(0)
    assert f"journal/epoch-{len(points) + 1:08}.json" in [key.partition("/")[2] for method, key, _ in bench.proxy.log if method == "PUT"]
    return f"a coordinator killed {len(points)} times: {bench.check('killed')} files are those of the run without faults"


def two(bench):
    """A second coordinator on the same prefix: the first one steps down, the second one completes the run with its worker."""
    first = Coordinator(bench, "first", "two")
    worker(bench, "two-worker", first)
    until("a unit is done", first.has_begun, first)
    second = Coordinator(bench, "second", "two")
    first.ends_with(76)
    assert "another coordinator has taken over this output (epoch 2): this one stops" in first.said(), first.said()
    second.ends_with(0)
    bench.proxy.counts["second coordinator"] += 1
    return f"two coordinators on one prefix: {bench.check('two')} files are those of the run without faults"


SCENARIOS = [hiccups, doubt, away, silent, killed, two]

"""Runs rendered manifests on this machine and breaks things meanwhile:

    python run.py PLACE PROGRAMS RUN.yaml JOBSET.yaml OTHER_STUDY.yaml TLS.yaml

PLACE holds `inputs`, the content of that claim, and `secrets`, a folder for each. There is no API server here: pods are processes (pod.py), and what makes them again
are the rules of the API's documentation (controllers.py). Needs root, and a network namespace of its own."""

import copy
import json
import pathlib
import shutil
import sys
import time

import manifests
import policy
from controllers import Job, StatefulSet
from pod import Node, Pod

UNSCHEDULABLE = 3


def say(text):
    print(text, flush=True)


class Cluster:
    """Controllers over the pods of one node."""

    def __init__(self, place, name, programs, file):
        self.documents = manifests.read(file)
        self.node = Node(place / name, programs, self.documents, place / "secrets")
        self.pods, self.controllers = [], []
        shutil.copytree(place / "inputs", self.node.claim("babelquant-inputs"), dirs_exist_ok=True)

    def make_pod(self, workload, name):
        pod = Pod(self.node, workload, name)
        self.pods.append(pod)
        return pod

    def start(self, label, kind, **more):
        controller = kind(manifests.component(self.documents, label), self.make_pod, **more)
        self.controllers.append(controller)
        return controller

    def tick(self):
        for controller in self.controllers:
            controller.tick()

    def until(self, what, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"not within {seconds} s: {what}")
            self.tick()
            time.sleep(0.05)
        say(what)

    def fail(self, reason):
        for pod in self.pods:
            print(f"--- {pod.name}\n{pod.log.read_text(errors='replace')[-1500:]}", file=sys.stderr)
        self.stop()
        sys.exit(f"FAILED: {reason}")

    def expect(self, what, true):
        if not true:
            self.fail(what)
        say(what)

    def stop(self):
        for pod in self.pods:
            pod.kill()

    def beside(self, command, results):
        """A pod of the coordinator's with another command and another volume for results."""
        workload = copy.deepcopy(manifests.component(self.documents, "coordinator"))
        workload.container["command"], workload.container["args"] = command, []
        for volume in workload.pod["volumes"]:
            if volume["name"] == "results":
                volume["persistentVolumeClaim"]["claimName"] = results
        return self.make_pod(workload, f"beside-{len(self.pods)}")

    def alone(self, command, results):
        """The same, when it has ended."""
        pod = self.beside(command, results)
        while pod.exit_code() is None:
            self.tick()
            time.sleep(0.05)
        return pod

    def done(self):
        """Units that are done, as `babelquant status` says it; None if nobody answers."""
        pod = self.alone(["babelquant", "status", "http://babelquant-coordinator:7070", "--json"], "unused")
        if pod.exit_code() != 0:
            return None
        text = pod.log.read_text()
        shown = json.loads(text[text.index("{"):])
        self.units = shown["units"]
        return shown["done"]


def same_results(cluster):
    """The manifests with their BLAKE3s, and the bytes of every file under data/, against those of the first scene's reference."""
    expected, found = cluster.node.place.parent / "faults/claims/expected", cluster.node.claim("babelquant-results")

    def content(root):
        files = {str(file.relative_to(root)): file.read_bytes() for file in (root / "data").rglob("*") if file.is_file()}
        return files, json.loads((root / "_SUCCESS.json").read_text())

    ours, theirs = content(found), content(expected)
    cluster.expect(f"{len(ours[0])} files under data/ and their BLAKE3s are those of `babelquant run`",
                   ours == theirs and len(ours[0]) > 3)


def faults(cluster):
    """The run of deploy/kubernetes/run, while pods die of all that a pod can die of."""
    reference = cluster.alone(["babelquant", "run", "/study/study.toml", "--out", "/results"], "expected")
    cluster.expect("reference: `babelquant run` is complete", reference.exit_code() == 0)
    job = cluster.start("worker", Job, unschedulable=[UNSCHEDULABLE])
    cluster.expect(f"{len(job.pods)} workers start before there is a coordinator, one is pending for good", len(job.pods) == 3)
    coordinator = cluster.start("coordinator", StatefulSet)
    cluster.until("the coordinator is ready", coordinator.pod.ready)
    cluster.until("units are done", lambda: (cluster.done() or 0) > 0)

    def ended(index):
        return [end for end in job.ends if end[0] == index]

    job.pods[0].delete()
    cluster.until("deleted worker 0: SIGTERM", lambda: ended(0))
    cluster.expect("    it gave back its units: 75, ignored", ended(0) == [(0, 75, "Ignore")])
    job.pods[1].conditions.append(policy.DISRUPTED)
    job.pods[1].kill()
    cluster.until("lost the node of worker 1", lambda: ended(1))
    cluster.expect("    137 with DisruptionTarget, ignored", ended(1) == [(1, 137, "Ignore")])
    job.pods[2].kill()
    cluster.until("killed worker 2, as for its memory", lambda: ended(2))
    cluster.expect("    137, counted for its index", ended(2) == [(2, 137, "Count")] and job.failures == {0: 0, 1: 0, 2: 1, 3: 0})
    before = cluster.done()
    coordinator.pod.kill()
    cluster.until("killed the coordinator; its container starts again", lambda: coordinator.ends == [137])
    cluster.until("    it is ready", coordinator.pod.ready)
    cluster.until("    with what it had", lambda: (cluster.done() or 0) >= before)
    cluster.expect(f"    {before} of {cluster.units}, far from the end", before < cluster.units / 2)
    coordinator.pod.delete()
    cluster.until("deleted the coordinator's pod", lambda: len(coordinator.ends) == 2)
    cluster.expect("    it ended with 75, and there is another", coordinator.ends == [137, 75] and job.condition is None)
    cluster.until("    it is ready", coordinator.pod.ready)
    rival = cluster.beside(["babelquant", "run", "/study/study.toml", "--out", "/results"], "babelquant-results")
    cluster.until("somebody takes the output over: the coordinator's pod stays without work",
                  lambda: coordinator.pod.said("another coordinator goes on with this output (76)"))
    cluster.expect("    and did not end", coordinator.ends == [137, 75] and not coordinator.pod.ready())
    rival.kill()
    coordinator.pod.delete()
    cluster.until("    deleted, it comes back and goes on", lambda: coordinator.ends == [137, 75, 0] and coordinator.pod.ready())
    cluster.until("the Job is complete", lambda: job.condition is not None)
    cluster.expect(f"    {' '.join(job.condition)}", job.condition == ("Complete", "SuccessPolicy"))
    cluster.until("no worker is left", lambda: not job.pods)
    cluster.until("the coordinator's pod stays", lambda: coordinator.pod.said("the run is complete (0)"))
    same_results(cluster)
    report = cluster.alone(["/bin/sh", "-c", "ls /results/analysis/report.html && ! touch /x /inputs/x && id -u"], "babelquant-results")
    cluster.expect("    the report is there; pods cannot write elsewhere, and are not root", report.said("\n65532\n"))
    coordinator.pod.delete()
    cluster.until("    deleted, it leaves at once and comes back complete",
                  lambda: coordinator.ends == [137, 75, 0, 0] and coordinator.pod.said("the run is complete (0)"))


def other_study(cluster, other):
    """The study is changed under running workers: on the old results it is refused, on new ones the workers are."""
    coordinator, job = cluster.start("coordinator", StatefulSet), cluster.start("worker", Job, unschedulable=[UNSCHEDULABLE])
    cluster.until("three workers of another run: units are done", lambda: (cluster.done() or 0) > 0)
    cluster.node.documents = manifests.read(other)
    coordinator.workload = manifests.component(cluster.node.documents, "coordinator")
    coordinator.pod.delete()
    cluster.until("changed the study: the coordinator refuses the results of the old one", lambda: 78 in coordinator.ends)
    cluster.expect("    and the workers wait", job.condition is None and not job.ends)
    volumes = coordinator.workload.pod["volumes"]
    next(v for v in volumes if v["name"] == "results")["persistentVolumeClaim"]["claimName"] = "new-results"
    coordinator.pod.delete()
    cluster.until("gave it an empty volume: a worker is refused", lambda: job.condition is not None)
    cluster.expect(f"    {' '.join(job.condition)}", job.condition[1].startswith("PodFailurePolicy: exit code 78"))
    cluster.until("no worker is left", lambda: not job.pods)
    cluster.expect("    and none was made again", {end[1] for end in job.ends} <= {75, 78} and len(job.ends) == 3)


def jobset(cluster):
    """The same pods as two Jobs: the coordinator may end."""
    coordinator, job = cluster.start("coordinator", Job), cluster.start("worker", Job)
    cluster.until("JobSet: the coordinator's Job has ended", lambda: coordinator.condition is not None)
    cluster.expect(f"    {' '.join(coordinator.condition)}", coordinator.condition == ("Complete", "CompletionsReached"))
    cluster.until("    the workers' too", lambda: job.condition == ("Complete", "SuccessPolicy"))
    same_results(cluster)


def tls(cluster):
    """With certificates on both sides."""
    coordinator, job = cluster.start("coordinator", StatefulSet), cluster.start("worker", Job)
    cluster.until("certificates: the Job is complete", lambda: job.condition == ("Complete", "SuccessPolicy"))
    cluster.until("    and the coordinator says so", lambda: coordinator.pod.said("the run is complete (0)"))
    same_results(cluster)


def main():
    place, programs, run, set_of_jobs, other, with_tls = sys.argv[1:]
    place = pathlib.Path(place)
    scenes = [("faults", run, faults), ("other", run, lambda cluster: other_study(cluster, other)), ("jobset", set_of_jobs, jobset),
              ("tls", with_tls, tls)]
    for name, file, scene in scenes:
        cluster = Cluster(place, name, programs, file)
        try:
            scene(cluster)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()

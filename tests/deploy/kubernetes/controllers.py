"""What makes pods and makes them again, by the rules that the API documents for StatefulSet and Job; without back-off times. Knows no
processes."""

import itertools

import policy


class StatefulSet:
    """One pod, and its container again whenever it ends."""

    def __init__(self, workload, make_pod):
        assert workload.spec["replicas"] == 1
        self.make_pod, self.numbers = make_pod, itertools.count()
        self.workload, self.ends = workload, []
        self.pod = self.make()

    def make(self):
        return self.make_pod(self.workload, f"{self.workload.name}-0.{next(self.numbers)}")

    def tick(self):
        self.pod.tick()
        code = self.pod.exit_code()
        if code is None:
            return
        self.ends.append(code)
        if self.pod.delete_by is None:
            self.pod.start()
        else:
            self.pod = self.make()


class Job:
    """A pod for each index until the Job has succeeded or failed; then its other pods are deleted."""

    def __init__(self, workload, make_pod, unschedulable=()):
        self.workload, self.make_pod, self.numbers = workload, make_pod, itertools.count()
        self.spec = workload.spec
        self.failures = dict.fromkeys(range(self.spec["completions"]), 0)
        self.succeeded, self.failed = set(), set()
        self.unschedulable = set(unschedulable)  # these indexes' pods stay pending
        self.ends = []  # (index, exit code, what was done about it)
        self.condition = None
        self.pods = {}
        self.tick()

    def tick(self):
        for index, pod in list(self.pods.items()):
            pod.tick()
            code = pod.exit_code()
            if code is not None:
                del self.pods[index]
                self.ended(index, pod, code)
        if self.condition is None:
            self.settle()
        if self.condition is None:
            self.make_missing()
        else:
            for pod in self.pods.values():
                pod.delete()

    def ended(self, index, pod, code):
        done = "Succeeded" if code == 0 else policy.action(self.spec, code, pod.conditions)
        self.ends.append((index, code, done))
        if self.condition is not None:
            return
        match done:
            case "Succeeded":
                self.succeeded.add(index)
            case "FailJob":
                self.condition = ("Failed", f"PodFailurePolicy: exit code {code} of {pod.name}")
            case "FailIndex":
                self.failed.add(index)
            case "Count":
                self.failures[index] += 1
                if "backoffLimitPerIndex" in self.spec and self.failures[index] > self.spec["backoffLimitPerIndex"]:
                    self.failed.add(index)
                elif sum(self.failures.values()) > self.spec.get("backoffLimit", 2**31 - 1):
                    self.condition = ("Failed", "BackoffLimitExceeded")

    def settle(self):
        for rule in self.spec.get("successPolicy", {}).get("rules", []):
            if len(self.succeeded) >= rule["succeededCount"]:
                self.condition = ("Complete", "SuccessPolicy")
                return
        if len(self.succeeded | self.failed) == self.spec["completions"]:
            self.condition = ("Failed", "FailedIndexes") if self.failed else ("Complete", "CompletionsReached")

    def make_missing(self):
        over = self.succeeded | self.failed | self.unschedulable | self.pods.keys()
        for index in range(self.spec["completions"]):
            if index not in over and len(self.pods) < self.spec["parallelism"]:
                self.pods[index] = self.make_pod(self.workload, f"{self.workload.name}-{index}.{next(self.numbers)}")

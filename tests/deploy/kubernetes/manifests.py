"""Rendered manifests as the tests need them: objects by kind, and each workload's pod template. Decides nothing."""

import dataclasses

import yaml


@dataclasses.dataclass
class Workload:
    """Something that makes pods: a StatefulSet, a Job, a bare Pod, or one of the Jobs of a JobSet."""

    kind: str
    name: str
    spec: dict  # of the controller; of a bare Pod its own
    template: dict

    @property
    def pod(self):
        return self.template["spec"]

    @property
    def container(self):
        return self.pod["containers"][0]

    @property
    def labels(self):
        return self.template["metadata"].get("labels", {})


def read(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def name(document):
    return document["metadata"]["name"]


def jobs_of(jobset):
    """The Jobs that a JobSet makes, one for each replicated job (all of ours have one replica)."""
    return [
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"{name(jobset)}-{replicated['name']}-0", "labels": {}},
            "spec": replicated["template"]["spec"],
        }
        for replicated in jobset["spec"]["replicatedJobs"]
    ]


def workloads(documents):
    found = []
    for document in documents:
        match document["kind"]:
            case "StatefulSet" | "Job":
                spec = document["spec"]
                found.append(Workload(document["kind"], name(document), spec, spec["template"]))
            case "Pod":
                found.append(Workload("Pod", name(document), document["spec"], document))
            case "JobSet":
                found += workloads(jobs_of(document))
    return found


def component(documents, label):
    """The one workload whose pods are the coordinator, or the workers."""
    (found,) = [w for w in workloads(documents) if w.labels.get("app.kubernetes.io/component") == label]
    return found


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in (selector or {}).items())

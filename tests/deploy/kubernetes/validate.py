"""Checks rendered manifests without a cluster:

    python validate.py [--planted] FILE…

Each object is held against its schema of the oldest and the newest Kubernetes that we answer for, with unknown fields refused. Then
come the rules that an API server checks beside the schema, and what deploy/kubernetes promises. With --planted each mistake of a
list is made in the manifests and must be found. A JobSet's schema is not among those of Kubernetes: its Jobs are checked as Jobs,
and itself against the file of the CRD in BABELQUANT_JOBSET_CRD, or, without one, against the few fields that we use."""

import copy
import functools
import json
import os
import re
import sys

import jsonschema
import kubernetes_validate
import yaml

import manifests
import policy

# Of the oldest: the first in which a Job's successPolicy is on by default.
VERSIONS = ("1.31", "1.37")
JOBSET_FIELDS = {
    "ttlSecondsAfterFinished": int,
    "successPolicy": dict,
    "failurePolicy": dict,
    "suspend": bool,
    "replicatedJobs": list,
}
# Made by hand (README.md), so that no manifest has them.
SECRETS = {"babelquant-coordinator-tls", "babelquant-worker-tls", "babelquant-s3", "babelquant-hub"}
CLAIMS = {"babelquant-inputs", "babelquant-results"}
# What deploy/README.md says of each exit code, as an action; 137 is a kill.
WORKER_ACTIONS = {2: "FailJob", 3: "FailJob", 77: "FailJob", 78: "FailJob", 75: "Ignore", 70: "Count", 137: "Count"}


def schema_problems(document):
    if document["kind"] == "JobSet":
        jobs = [line for job in manifests.jobs_of(document) for line in schema_problems(job)]
        return [*jobset_problems(document), *jobs]
    return kubernetes_problems(json.dumps(document))


@functools.cache
def kubernetes_problems(text):
    """Kept by the object's text: of a planted mistake's manifests all objects but one have been looked at before."""
    found = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(json.loads(text), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message[:160]}")
    return found


def closed(schema):
    """The same schema, with unknown fields refused where it lists the known ones, as an API server prunes them."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string"):
        return {}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        schema.setdefault("additionalProperties", False)
    return schema


def jobset_problems(jobset):
    path = os.environ.get("BABELQUANT_JOBSET_CRD")
    if path:
        with open(path, encoding="utf-8") as file:
            versions = yaml.safe_load(file)["spec"]["versions"]
        (version,) = [v for v in versions if jobset["apiVersion"].endswith("/" + v["name"])]
        schema = closed(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        for error in jsonschema.Draft7Validator(schema).iter_errors(jobset):
            yield f"CRD: {'.'.join(map(str, error.path))}: {error.message[:160]}"
        return
    if jobset["apiVersion"] != "jobset.x-k8s.io/v1alpha2":
        yield f"JobSet of {jobset['apiVersion']}"
    for key, value in jobset["spec"].items():
        if not isinstance(value, JOBSET_FIELDS.get(key, ())):
            yield f"spec.{key}: unknown, or of the wrong type"
    names = [replicated.get("name") for replicated in jobset["spec"]["replicatedJobs"]]
    for target in jobset["spec"]["successPolicy"]["targetReplicatedJobs"]:
        if target not in names:
            yield f"successPolicy names no replicated job: {target}"


def pod_problems(workload):
    pod, container = workload.pod, workload.container
    user, security = pod.get("securityContext", {}), container.get("securityContext", {})
    promises = {
        "does not run as root": user.get("runAsNonRoot") is True and user.get("runAsUser", 0) > 0,
        "has the runtime's seccomp profile": user.get("seccompProfile") == {"type": "RuntimeDefault"},
        "cannot gain privileges": security.get("allowPrivilegeEscalation") is False,
        "has no capabilities": security.get("capabilities") == {"drop": ["ALL"]},
        "cannot write to its root file system": security.get("readOnlyRootFilesystem") is True,
        "gets no token": pod.get("automountServiceAccountToken") is False,
        "has a grace period": pod.get("terminationGracePeriodSeconds", 0) > 0,
        "asks for CPU and memory": {"cpu", "memory"} <= container.get("resources", {}).get("requests", {}).keys(),
        "has a limit of memory": "memory" in container.get("resources", {}).get("limits", {}),
        "has one container": len(pod["containers"]) == 1,
        "says which image": ":" in container["image"] and not container["image"].endswith(":latest"),
    }
    yield from (f"promise broken: {promise}" for promise, kept in promises.items() if not kept)
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    mounts = {mount["name"] for mount in container.get("volumeMounts", [])}
    if volumes != mounts:
        yield f"volumes and mounts differ: {sorted(volumes ^ mounts)}"
    known = {variable["name"] for variable in container.get("env", [])}
    for variable in re.findall(r"\$\((\w+)\)", " ".join(container.get("args", []))):
        if variable not in known and "envFrom" not in container:
            yield f"$({variable}) is no variable of the container"


def job_problems(workload):
    job = workload.spec
    if job.get("podFailurePolicy") and workload.pod.get("restartPolicy") != "Never":
        yield "podFailurePolicy needs restartPolicy Never"
    if (job.get("successPolicy") or "backoffLimitPerIndex" in job) and job.get("completionMode") != "Indexed":
        yield "successPolicy and backoffLimitPerIndex need completionMode Indexed"
    if job["parallelism"] > job["completions"]:
        yield "more pods at a time than in all"
    for rule in job["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes", {"values": [1], "operator": "In"})
        if codes["values"] != sorted(set(codes["values"])) or (codes["operator"] == "In" and 0 in codes["values"]):
            yield f"exit codes {codes['values']} are not ascending, or hold 0"
        if codes["operator"] not in ("In", "NotIn"):
            yield f"operator {codes['operator']}"
        if codes.get("containerName", workload.container["name"]) != workload.container["name"]:
            yield f"no container is called {codes['containerName']}"
    if workload.labels.get("app.kubernetes.io/component") == "worker":
        for code, action in WORKER_ACTIONS.items():
            if policy.action(job, code) != action:
                yield f"exit code {code}: {policy.action(job, code)}, not {action}"
        if policy.action(job, 137, [policy.DISRUPTED]) != "Ignore":
            yield "a lost node counts as a failure"


def reference_problems(documents, workload):
    held = {(document["kind"], manifests.name(document)) for document in documents}
    wanted = set()
    for volume in workload.pod.get("volumes", []):
        if "configMap" in volume:
            wanted.add(("ConfigMap", volume["configMap"]["name"]))
        if "persistentVolumeClaim" in volume:
            wanted.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        if "secret" in volume:
            wanted.add(("Secret", volume["secret"]["secretName"]))
    for source in workload.container.get("envFrom", []):
        wanted.add(("Secret", source["secretRef"]["name"]))
    if "serviceAccountName" in workload.pod:
        wanted.add(("ServiceAccount", workload.pod["serviceAccountName"]))
    held |= {("Secret", secret) for secret in SECRETS} | {("PersistentVolumeClaim", claim) for claim in CLAIMS}
    yield from (f"there is no {kind} {name}" for kind, name in sorted(wanted - held))


def network_problems(documents):
    """From the worker's --coordinator through the Service and the policies to the port that the coordinator listens on."""
    coordinator, worker = (manifests.component(documents, label) for label in ("coordinator", "worker"))
    flags = dict(arg[2:].partition("=")[::2] for arg in worker.container["args"])
    scheme, host, port = re.fullmatch(r"(https?)://([^:/]+):(\d+)", flags["coordinator"]).groups()
    services = [s for s in manifests.of_kind(documents, "Service") if manifests.name(s) == host]
    if len(services) != 1:
        yield f"--coordinator names no Service: {host}"
        return
    spec = services[0]["spec"]
    ports = {p["name"]: p["containerPort"] for p in coordinator.container["ports"]}
    if not manifests.selects(spec["selector"], coordinator.labels):
        yield "the Service does not select the coordinator's pod"
    if spec.get("clusterIP") != "None" or spec.get("publishNotReadyAddresses") is not True:
        yield "the Service is not headless, or hides a coordinator that is not ready"
    # Without an address of its own a Service forwards nothing: the two ports must be one.
    (entry,) = spec["ports"]
    if {int(port), entry["port"], ports.get(entry["targetPort"])} != {int(port)}:
        yield f"the worker dials {port}, the Service says {entry}, the container {ports}"
    if f"--listen=0.0.0.0:{port}" not in coordinator.container["args"]:
        yield "the coordinator listens elsewhere"
    if ("--tls=/tls" in coordinator.container["args"]) != (scheme == "https"):
        yield "one side has certificates and the other has none"
    probe = coordinator.container["readinessProbe"]["tcpSocket"]["port"]
    if probe not in ports:
        yield f"the probe's port {probe} is none of the container's"
    if coordinator.kind == "StatefulSet" and coordinator.spec["serviceName"] != host:
        yield "the StatefulSet has another Service"
    yield from policy_problems(documents, coordinator, worker, int(port))


def policy_problems(documents, coordinator, worker, port):
    policies = [p["spec"] for p in manifests.of_kind(documents, "NetworkPolicy")]

    def of(workload):
        return [p for p in policies if manifests.selects(p["podSelector"]["matchLabels"], workload.labels)]

    for workload in (coordinator, worker):
        if not any({"Ingress", "Egress"} <= set(p["policyTypes"]) for p in of(workload)):
            yield f"no policy closes {workload.name}"
    if any("from" not in rule for workload in (coordinator, worker) for p in of(workload) for rule in p.get("ingress", [])):
        yield "everybody may come in"

    def lets(rules, side, labels):
        return any(
            {"protocol": "TCP", "port": port} in rule["ports"]
            and any(manifests.selects(peer["podSelector"]["matchLabels"], labels) for peer in rule.get(side, []))
            for rule in rules
        )

    if not any(lets(p["ingress"], "from", worker.labels) for p in of(coordinator)):
        yield "the workers may not reach the coordinator"
    if not any(lets(p["egress"], "to", coordinator.labels) for p in of(worker)):
        yield "the workers may not leave for the coordinator"


def problems(documents):
    """All that is wrong, as lines."""
    found = []
    for document in documents:
        found += [f"{document['kind']} {manifests.name(document)}: {line}" for line in schema_problems(document)]
    if found:
        return found
    for workload in manifests.workloads(documents):
        lines = [*pod_problems(workload), *reference_problems(documents, workload)]
        if workload.kind == "Job":
            lines += job_problems(workload)
        found += [f"{workload.kind} {workload.name}: {line}" for line in lines]
    if any(workload.kind == "Job" for workload in manifests.workloads(documents)):
        found += network_problems(documents)
    return found


def set_in(documents, kind, path, value):
    """Sets what stands at `path`, keys and numbers with dots between them, in the first object of a kind; None removes it."""
    place = manifests.of_kind(documents, kind)[0]
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value


# What is broken, and a word of the line that must say so.
PLANTED = [
    ("Job", "spec.backOffLimit", 3, "backOffLimit"),
    ("Job", "spec.parallelism", "four", "parallelism"),
    ("Job", "spec.parallelism", 5, "more pods"),
    ("Job", "spec.completionMode", "NonIndexed", "Indexed"),
    ("Job", "spec.template.spec.restartPolicy", "OnFailure", "Never"),
    ("Job", "spec.template.spec.terminationGracePeriodSeconds", "sixty", "terminationGracePeriodSeconds"),
    ("Job", "spec.podFailurePolicy.rules.0.onExitCodes.values", [78, 77, 3, 2], "ascending"),
    ("Job", "spec.podFailurePolicy.rules.0.onExitCodes.values", [0, 2, 3, 77, 78], "hold 0"),
    ("Job", "spec.podFailurePolicy.rules.0.onExitCodes.values", [2, 3, 77], "78"),
    ("Job", "spec.podFailurePolicy.rules.0.onExitCodes.containerName", "main", "main"),
    ("Job", "spec.podFailurePolicy.rules.0.onExitCodes.operator", "Among", "Among"),
    ("Job", "spec.podFailurePolicy.rules.0.action", "Ignore", "78"),
    ("Job", "spec.podFailurePolicy.rules.1.onPodConditions.0.type", "Ready", "lost node"),
    ("Job", "spec.podFailurePolicy.rules.2.onExitCodes.values", [74], "75"),
    ("Job", "spec.template.spec.securityContext.runAsNonRoot", False, "root"),
    ("Job", "spec.template.spec.containers.0.securityContext.readOnlyRootFilesystem", False, "root file system"),
    ("Job", "spec.template.spec.containers.0.image", "babelquant:latest", "image"),
    ("Job", "spec.template.spec.containers.0.volumeMounts.0.name", "input", "input"),
    ("Job", "spec.template.spec.containers.0.env", [], "POD_NAME"),
    ("Job", "spec.template.spec.volumes.0.persistentVolumeClaim.claimName", "models", "models"),
    ("Job", "spec.template.spec.containers.0.args.0", "--coordinator=http://coordinator:7070", "no Service"),
    ("Job", "spec.template.spec.containers.0.args.0", "--coordinator=http://babelquant-coordinator:7071", "7071"),
    ("Job", "spec.template.metadata.labels", {"app.kubernetes.io/component": "worker"}, "no policy"),
    ("StatefulSet", "spec.template.spec.containers.0.args.3", "--listen=127.0.0.1:7070", "elsewhere"),
    ("StatefulSet", "spec.template.spec.containers.0.readinessProbe.tcpSocket.port", "http", "probe"),
    ("StatefulSet", "spec.template.spec.volumes.1.configMap.name", "babelquant-study", "babelquant-study"),
    ("StatefulSet", "spec.serviceName", "babelquant", "another Service"),
    ("Service", "spec.selector", {"app": "babelquant"}, "does not select"),
    ("Service", "spec.publishNotReadyAddresses", None, "not ready"),
    ("NetworkPolicy", "spec.ingress.0.ports.0.port", 80, "may not reach"),
    ("NetworkPolicy", "spec.ingress.0.from", None, "everybody"),
    ("NetworkPolicy", "spec.policyTypes", ["Ingress"], "closes"),
    ("ServiceAccount", "metadata.name", "default", "ServiceAccount"),
]


def check_planted(documents):
    missed = []
    for kind, path, value, word in PLANTED:
        broken = copy.deepcopy(documents)
        set_in(broken, kind, path, value)
        found = problems(broken)
        if not any(word in line for line in found):
            missed.append(f"{kind} {path} = {value!r}: {found or 'nothing found'}")
    return missed


def main():
    arguments = sys.argv[1:]
    planted = "--planted" in arguments
    files = [argument for argument in arguments if argument != "--planted"]
    for file in files:
        documents = manifests.read(file)
        found = check_planted(documents) if planted else problems(documents)
        if found:
            sys.exit("\n".join(f"FAILED {os.path.basename(file)}: {line}" for line in found))
        what = f"{len(PLANTED)} planted mistakes are found" if planted else f"{len(documents)} objects"
        print(f"ok {os.path.basename(file)}: {what}")
    if any(manifests.of_kind(manifests.read(file), "JobSet") for file in files) and "BABELQUANT_JOBSET_CRD" not in os.environ:
        print("SKIPPED: the JobSet against its CRD, which no package here has: BABELQUANT_JOBSET_CRD names none")


if __name__ == "__main__":
    main()

"""A pod as processes of this machine: the command, arguments, variables, volumes, user and grace period of its manifest, in a root
file system of its own. What stands in for the kubelet and the container runtime; it restarts nothing."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import manifests

# Of this machine, read-only; the programs under test lie over /usr/local/bin, as in the image.
SYSTEM = ("usr", "bin", "sbin", "lib", "lib64")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Node:
    """What pods share: the programs, the objects of the cluster, and the claims' content, a directory each."""

    def __init__(self, place, programs, documents, secrets):
        self.place, self.programs, self.documents = pathlib.Path(place), programs, documents
        self.secrets = secrets  # has a directory for each

    def claim(self, name):
        directory = self.place / "claims" / name
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def hosts(self):
        """The names of Services that select a pod of some workload. All pods are on this machine's loopback."""
        lines = ["127.0.0.1 localhost"]
        for service in manifests.of_kind(self.documents, "Service"):
            selector = service["spec"]["selector"]
            if any(manifests.selects(selector, w.labels) for w in manifests.workloads(self.documents)):
                lines.append(f"127.0.0.1 {manifests.name(service)}")
        return "\n".join(lines) + "\n"


class Pod:
    """One pod. `conditions` are those that the cluster has set on it."""

    def __init__(self, node, workload, name):
        self.node, self.workload, self.name = node, workload, name
        self.place = node.place / "pods" / name
        self.place.mkdir(parents=True)
        self.log = self.place / "log"
        self.conditions = []
        self.process = None
        self.delete_by = None
        self.start()

    def start(self):
        """Starts the container, also again; what is in emptyDir volumes stays."""
        self.root = self.place / "root"
        shutil.rmtree(self.root, ignore_errors=True)
        container, security = self.workload.container, self.workload.pod["securityContext"]
        read_only = container["securityContext"]["readOnlyRootFilesystem"]
        user, group = str(security["runAsUser"]), str(security["runAsGroup"])
        steps = [f"mount --bind {self.root} {self.root}", *self.system(), *self.volumes(int(user), int(group))]
        if read_only:
            steps.append(f"mount -o remount,bind,ro {self.root}")
        steps.append('exec chroot "$0" setpriv --reuid "$1" --regid "$2" --groups "$2" --no-new-privs '
                     '--bounding-set=-all --inh-caps=-all -- "${@:3}"')
        command = ["unshare", "--mount", "bash", "-euc", "\n".join(steps), str(self.root), user, group]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command + self.command(), env=self.variables(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )

    def system(self):
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc/hosts").write_text(self.node.hosts())
        (self.root / "etc/nsswitch.conf").write_text("hosts: files\n")
        for name in SYSTEM:
            if os.path.islink(f"/{name}"):
                (self.root / name).symlink_to(os.readlink(f"/{name}"))
            elif os.path.isdir(f"/{name}"):
                yield from self.bind(f"/{name}", name, read_only=True)
        yield from self.bind(self.node.programs, "usr/local/bin", read_only=True, make=False)
        for name in ("dev", "proc"):
            (self.root / name).mkdir()
            yield f"mount --rbind /{name} {self.root / name}"

    def bind(self, source, target, read_only, make=True):
        if make:
            (self.root / target).mkdir(parents=True)
        yield f"mount --bind {source} {self.root / target}"
        if read_only:
            yield f"mount -o remount,bind,ro {self.root / target}"

    def volumes(self, user, group):
        mounts = {mount["name"]: mount for mount in self.workload.container["volumeMounts"]}
        for volume in self.workload.pod["volumes"]:
            source = self.source(volume)
            os.chown(source, user, group)
            mount = mounts[volume["name"]]
            yield from self.bind(source, mount["mountPath"].lstrip("/"), mount.get("readOnly", False))

    def source(self, volume):
        """The directory behind a volume."""
        if "persistentVolumeClaim" in volume:
            return self.node.claim(volume["persistentVolumeClaim"]["claimName"])
        if "secret" in volume:
            return self.node.secrets / volume["secret"]["secretName"]
        directory = self.place / "volumes" / volume["name"]
        directory.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            (content,) = [
                document["data"]
                for document in manifests.of_kind(self.node.documents, "ConfigMap")
                if manifests.name(document) == volume["configMap"]["name"]
            ]
            for name, text in content.items():
                (directory / name).write_text(text)
        return directory

    def variables(self):
        found = {"PATH": PATH, "HOSTNAME": self.name}
        for variable in self.workload.container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
            elif variable["valueFrom"].get("fieldRef") == {"fieldPath": "metadata.name"}:
                found[variable["name"]] = self.name
        return found

    def command(self):
        found = self.variables()
        arguments = self.workload.container["command"] + self.workload.container.get("args", [])
        return [re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], argument) for argument in arguments]

    def exit_code(self):
        """None while it runs; a death by a signal as runtimes report it."""
        code = self.process.poll()
        if code is not None:
            self.end(signal.SIGKILL)
        return code if code is None or code >= 0 else 128 - code

    def end(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass

    def kill(self):
        """SIGKILL to all that is in it: out of memory, or the node is gone."""
        self.end(signal.SIGKILL)
        self.process.wait()

    def delete(self):
        """SIGTERM to its first process; `tick` kills what is left after the grace period."""
        if self.delete_by is None and self.process.poll() is None:
            self.delete_by = time.monotonic() + self.workload.pod["terminationGracePeriodSeconds"]
            os.kill(self.process.pid, signal.SIGTERM)

    def tick(self):
        if self.delete_by is not None and time.monotonic() > self.delete_by:
            self.end(signal.SIGKILL)

    def ready(self):
        """What the readiness probe says."""
        probe = self.workload.container["readinessProbe"]["tcpSocket"]["port"]
        (port,) = [p["containerPort"] for p in self.workload.container["ports"] if p["name"] == probe]
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    def said(self, text):
        return text in self.log.read_text(errors="replace")

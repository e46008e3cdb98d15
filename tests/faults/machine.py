"""What this machine lends to the faults: namespaces of its own to run in, a network, disks, memory cgroups; and what it has not."""

import shutil
import subprocess

import memory
import namespaces
import proxies
from cluster import PLACES

ENCLOSURE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
AS_ROOT_INSIDE = ["--user", "--map-root-user"]


def works(*command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def enclosure():
    """The command that runs another in namespaces that vanish with it; None where there are none to be had."""
    candidates = [ENCLOSURE, [*ENCLOSURE[:1], *AS_ROOT_INSIDE, *ENCLOSURE[1:]]]
    return next((command for command in candidates if works(*command, "true")), None)


class Machine:
    """`enclosed`: this process has namespaces of its own. `base` is the memory cgroup that was made for it, or why there is none."""

    def __init__(self, enclosed, base):
        self.lacks = {}
        self.network = self.find_network(enclosed)
        self.disk = enclosed and self.has_disk()
        if not self.disk:
            self.lacks["disk"] = "no tmpfs can be mounted"
        self.memory = base if not isinstance(base, str) else None
        if self.memory is None:
            self.lacks["memory"] = base

    def find_network(self, enclosed):
        if not enclosed:
            return self.substitute("no namespaces of processes, mounts and network")
        missing = [program for program in ("ip", "nft", "nsenter") if shutil.which(program) is None]
        if missing:
            return self.substitute(f"no {' and '.join(missing)} (apt-get install iproute2 nftables)")
        try:
            return namespaces.Namespaces(PLACES)
        except subprocess.CalledProcessError as error:
            return self.substitute(f"{' '.join(error.cmd[:4])} fails")

    def substitute(self, reason):
        print(f"SKIPPED: worker namespaces and nft: {reason}; proxies on loopback cut connections instead", flush=True)
        return proxies.Proxies(PLACES)

    def has_disk(self):
        return works("sh", "-c", 'd=$(mktemp -d) && mount -t tmpfs none "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s')


def make_memory(name):
    """A cgroup for this run, or why there is none."""
    made, reason = memory.make(name)
    return made or reason

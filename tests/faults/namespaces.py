"""A network of namespaces: the coordinator in that of this process, each worker in one of its own, joined by a pair of interfaces, and nft
drops what is cut. Nothing of it is seen outside, and it goes with the process."""

import json
import subprocess

HOST = "10.77.0.1"
TABLE = "babelquant_faults"


def execute(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


class Namespaces:
    """Workers have numbers from 1; a worker's ways are `up`, to the coordinator, and `down`."""

    name, host = "namespaces", HOST

    def __init__(self, workers):
        execute("ip", "link", "set", "lo", "up")
        execute("ip", "address", "add", f"{HOST}/32", "dev", "lo")
        self.keepers = {number: self.namespace(number) for number in range(1, workers + 1)}
        execute("nft", "-f", "-", input=self.rules())

    def namespace(self, number):
        """The process that keeps a worker's namespace alive."""
        keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE,
                                  start_new_session=True)
        keeper.stdout.readline()
        near, far = f"10.77.{number}.1", f"10.77.{number}.2"
        execute("ip", "link", "add", f"worker{number}", "type", "veth", "peer", "name", "eth0", "netns", str(keeper.pid))
        execute("ip", "address", "add", f"{near}/30", "dev", f"worker{number}")
        execute("ip", "link", "set", f"worker{number}", "up")
        inside = f"ip link set lo up && ip address add {far}/30 dev eth0 && ip link set eth0 up && ip route add default via {near}"
        execute("nsenter", f"--net=/proc/{keeper.pid}/ns/net", "sh", "-c", inside)
        return keeper

    def rules(self):
        """A chain for each way of each worker, empty as long as it is open."""
        lines = [f"table inet {TABLE} {{"]
        hooks = {"up": ("input", "iifname"), "down": ("output", "oifname")}
        for way, (hook, match) in hooks.items():
            for number in self.keepers:
                lines += [f"counter {way}{number} {{ }}", f"chain {way}{number} {{ }}"]
            lines.append(f"chain {hook} {{ type filter hook {hook} priority 0;")
            lines += [f'{match} "worker{number}" jump {way}{number}' for number in self.keepers]
            lines.append("}")
        return "\n".join([*lines, "}\n"])

    def start(self, _coordinator):
        """A schedule begins: all ways are open, whoever the coordinator is."""
        self.end()

    def end(self):
        for number in self.keepers:
            self.heal(number)

    def worker_command(self, number, command):
        return ["nsenter", f"--net=/proc/{self.keepers[number].pid}/ns/net", *command]

    def address_for(self, _number):
        """None: a worker calls the coordinator's own address."""

    def cut(self, number, ways):
        for way in ways:
            execute("nft", "add", "rule", "inet", TABLE, f"{way}{number}", "counter", "name", f"{way}{number}", "drop")

    def reset(self, number):
        """Ends the worker's connections."""
        rule = ("meta", "l4proto", "tcp", "counter", "name", f"up{number}", "reject", "with", "tcp", "reset")
        execute("nft", "add", "rule", "inet", TABLE, f"up{number}", *rule)

    def heal(self, number):
        for way in ("up", "down"):
            execute("nft", "flush", "chain", "inet", TABLE, f"{way}{number}")

    def lost(self, number, ways):
        """Packets lost so far on these ways, all together."""
        counters = json.loads(execute("nft", "-j", "list", "counters"))["nftables"]
        names = {f"{way}{number}" for way in ways}
        return sum(entry["counter"]["packets"] for entry in counters if entry.get("counter", {}).get("name") in names)

    def close(self):
        for keeper in self.keepers.values():
            keeper.kill()
            keeper.wait()

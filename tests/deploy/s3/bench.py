"""What the scenarios stand on: moto's server, the proxy before it, programs as processes, and the comparison of a bucket with a directory."""

import copy
import json
import logging
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import boto3
from moto.server import ThreadedMotoServer

from proxy import Proxy

BUCKET = "results"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class Bench:
    def __init__(self, programs, study, expected, place):
        self.programs, self.study, self.place = map(pathlib.Path, (programs, study, place))
        self.directory = pathlib.Path(expected)
        self.expected = files_below(self.directory)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        _, self.server_port = server.get_host_and_port()
        self.proxy = Proxy(self.server_port)
        self.s3 = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{self.server_port}", region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )
        self.s3.create_bucket(Bucket=BUCKET)
        self.processes = []

    def apart(self):
        """The same with a proxy of its own, for a scenario beside others."""
        other = copy.copy(self)
        other.proxy = Proxy(self.server_port)
        return other

    def environment(self, port=None, **more):
        """No keys of this machine's, and none of its variables; `None` takes one away."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        own |= KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port or self.proxy.port}", "AWS_ALLOW_HTTP": "true"}
        own |= {"XDG_CACHE_HOME": str(self.place / "cache"), "NO_PROXY": "*"} | more
        return {name: value for name, value in own.items() if value is not None}

    def command(self, *words, code=0, **more):
        """Runs `babelquant` to its end; what it said on stdout and stderr."""
        done = subprocess.run(
            [self.programs / "babelquant", *map(str, words)], env=self.environment(**more), capture_output=True, text=True, timeout=120,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"babelquant {words} ended with {done.returncode}, not {code}:\n{said}"
        return said

    def start(self, name, program, *words, **more):
        process = Process(self, name, [self.programs / program, *map(str, words)], self.environment(**more))
        self.processes.append(process)
        return process

    def objects(self, prefix):
        """Names and contents below a prefix."""
        found = {}
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/"):
            for entry in page.get("Contents", []):
                body = self.s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read()
                found[entry["Key"].removeprefix(f"{prefix}/")] = body
        return found

    def check(self, prefix):
        """The measurement in the bucket is that of the directory, byte for byte; nothing else is left over."""
        found = self.objects(prefix)
        wrong = [name for name, body in measurement(self.expected).items() if found.get(name) != body]
        assert not wrong, f"{prefix}: {wrong} differ from the run without faults"
        more = measurement(found).keys() - measurement(self.expected).keys()
        assert not more, f"{prefix}: {more} should not be there"
        left = [name for name in found if name.startswith("journal/")]
        assert not left, f"{prefix}: {left} are left of the journal"
        return len(measurement(found))

    def close(self):
        for process in self.processes:
            process.kill()


def measurement(files):
    return {name: body for name, body in files.items() if name.startswith("data/") or name == "_SUCCESS.json"}


def files_below(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Process:
    def __init__(self, bench, name, command, environment):
        self.name, self.log = name, bench.place / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def said(self):
        return self.log.read_text()

    def says(self, words):
        until(f"{self.name} says {words!r}", lambda: words in self.said(), self)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ends_with(self, code, seconds=90):
        until(f"{self.name} ends", lambda: self.process.poll() is not None, self, seconds)
        ended = self.process.returncode
        assert ended == code, f"{self.name} ended with {ended}, not {code}:\n{self.said()[-3000:]}"


class Coordinator(Process):
    """`babelquant serve` on a prefix of the bucket; its workers find it through a file."""

    LEASE_MS = 3000

    def __init__(self, bench, name, prefix, *words, **more):
        self.file = bench.place / f"{prefix}.url"
        command = [
            bench.programs / "babelquant", "serve", bench.study / "study.toml", "--out", f"s3://{BUCKET}/{prefix}", "--listen", "127.0.0.1:0",
            "--http", "127.0.0.1:0", "--coordinator-file", self.file, "--lease-ms", self.LEASE_MS, "--sync-ms", "500", *words,
        ]
        super().__init__(bench, name, list(map(str, command)), bench.environment(**more))
        bench.processes.append(self)

    def http(self, path):
        """Status and text of a page."""
        at = re.findall(r"watch the run at (http://[^/]+)/", self.said())[-1]
        try:
            with urllib.request.urlopen(f"{at}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def has_begun(self):
        """Some unit is durable."""
        return "watch the run at" in self.said() and self.metric('babelquant_units{state="done"}') > 0

    def is_ready(self):
        return self.http("/readyz")[0] == 200

    def metric(self, name):
        lines = [line for line in self.http("/metrics")[1].splitlines() if line.startswith(name)]
        assert lines, f"there is no metric {name}"
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def status(self, bench):
        return json.loads(bench.command("status", "--coordinator-file", self.file, "--json"))


def worker(bench, name, coordinator, *words, **more):
    return bench.start(
        name, "babelquant-worker", "--coordinator-file", coordinator.file, "--models", bench.study, "--name", name, *words, **more
    )


def until(what, holds, process=None, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            said = f"\n{process.said()[-3000:]}" if process else ""
            raise AssertionError(f"not within {seconds} s: {what}{said}")
        time.sleep(0.05)

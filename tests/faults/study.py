"""The small study of every schedule, what an undisturbed run says of it, and the papers by which callers are let in."""

import secrets
import shutil
import subprocess
import time

LANGUAGES = ("fin", "tha", "tur")
# 391 units of a few milliseconds, which two cores do in five seconds.
STUDY = """
components = ["mlp"]
configs = ["int4-channel", "int3-channel"]
dtype = "f32"
metrics = ["nll", "top1", "kl"]
scopes = ["all", "only(each)"]

[corpus]
path = "corpus/{language}.txt"
documents = 12
shard_bytes = 300

[analysis]
bootstrap_draws = 100

[[models]]
name = "demo"
path = "model"
"""


class Programs:
    def __init__(self, folder):
        self.babelquant, self.worker = folder / "babelquant", folder / "babelquant-worker"

    def missing(self):
        return [str(program) for program in (self.babelquant, self.worker) if not program.exists()]


class Study:
    """In a folder: study.toml and its files, expected/, certificates/, tokens/."""

    def __init__(self, programs, folder, hosts):
        self.programs, self.folder = programs, folder
        self.file, self.models = folder / "study.toml", folder / "model"
        self.certificates, self.tokens = folder / "certificates", folder / "tokens"
        self.variables = {"XDG_CACHE_HOME": str(folder / "cache")}
        self.unpack()
        self.file.write_text(STUDY)
        self.execute("certs", self.certificates, *[word for host in hosts for word in ("--host", host)])
        self.make_tokens()
        self.execute("run", self.file, "--out", folder / "expected")
        self.expected = content(folder / "expected")

    def unpack(self):
        """The demo's files; the demo itself is stopped."""
        demo = self.folder / "demo"
        with (self.folder / "demo.log").open("wb") as log:
            process = subprocess.Popen([self.programs.babelquant, "demo", "--out", demo], stdout=log, stderr=log)
        try:
            while not (demo / "study.toml").exists():
                if process.poll() is not None:
                    raise RuntimeError(f"the demo ended with {process.returncode}: {self.folder / 'demo.log'}")
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
        shutil.copytree(demo / "input/model", self.models)
        (self.folder / "corpus").mkdir()
        for language in LANGUAGES:
            shutil.copy(demo / f"input/corpus/{language}.txt", self.folder / "corpus")

    def make_tokens(self):
        self.tokens.mkdir()
        tokens = {role: secrets.token_hex(16) for role in ("worker", "admin")}
        (self.tokens / "all").write_text("".join(f"{role} {token}\n" for role, token in tokens.items()))
        for role, token in tokens.items():
            (self.tokens / role).write_text(token + "\n")

    def execute(self, *arguments):
        command = [self.programs.babelquant, *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stderr[-2000:]}")

    def papers(self, access, role):
        """The flags by which the role (coordinator, worker, admin) shows or asks who somebody is."""
        if access == "open":
            return []
        if access == "certificates":
            return ["--tls", str(self.certificates)]
        return ["--token-file", str(self.tokens / {"coordinator": "all"}.get(role, role))]


def content(out):
    """The bytes of everything that must not depend on who computed it, by its path."""
    files = [out / "_SUCCESS.json", *(file for file in (out / "data").rglob("*") if file.is_file())]
    return {str(file.relative_to(out)): file.read_bytes() for file in files}


def differences(found, expected):
    names = found.keys() | expected.keys()
    return sorted(name for name in names if found.get(name) != expected.get(name))

"""Watches a real run in a headless Chromium and says what is wrong with its page: python live.py BABELQUANT STUDY SCREENSHOTS

STUDY is a study.toml that a run has left in its output. The grid must fill, the numbers must be the coordinator's, a square must say its numbers under a pointer, names that run from right to left
must do so, nothing may be logged to the console, and the page must not be wider than its window. Then the coordinator is killed and
started again: the page must say so and find it by itself, and end with the run. `promtool`, where there is one, must accept /metrics.
Screenshots of desktop and phone, light and dark, are kept for people to look at.
Needs CPython 3 and a `chromium` on the path (or in the variable CHROMIUM); exits 1 with a line for each fault.
"""

import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from chromium import CHROMIUM, OPTIONS, VIEWS, conclude

PATIENCE = 300
SQUARES = """[...document.querySelectorAll(".squares i")].map((mark) => mark.getAttribute("aria-label"))"""


class Browser:
    """A page, driven over the browser's own protocol on a pair of pipes."""

    def __init__(self, profile: str):
        there, self.commands = os.pipe()
        self.answers, back = os.pipe()
        options = [*OPTIONS, "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        shell = f'exec "$0" "$@" 3<&{there} 4>&{back}'
        command = ["bash", "-c", shell, CHROMIUM, *options]
        self.process = subprocess.Popen(command, pass_fds=(there, back), stderr=subprocess.DEVNULL)
        os.close(there)
        os.close(back)
        self.number, self.rest, self.session, self.console = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params) -> dict:
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def read(self) -> dict:
        while b"\0" not in self.rest:
            part = os.read(self.answers, 1 << 16)
            if not part:
                sys.exit("the browser has ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def note(self, event: dict) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.consoleAPICalled":
            self.console.append(f"{params['type']}: {[argument.get('value') for argument in params['args']]}")
        if event.get("method") == "Runtime.exceptionThrown":
            self.console.append(json.dumps(params["exceptionDetails"])[:500])
        if event.get("method") == "Log.entryAdded":
            self.console.append(f"{params['entry']['level']}: {params['entry']['text']} {params['entry'].get('url', '')}")

    def value(self, script: str):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, script: str, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not self.value(script):
            if time.monotonic() > end:
                sys.exit(f"the page never showed {what}: {self.value('document.body.innerText')}")
            time.sleep(0.1)

    def picture(self, path: pathlib.Path, size: tuple[int, int], scheme: str) -> tuple[int, int]:
        """Takes a screenshot of the whole page; returns its width and that of the window."""
        width, height = size
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 640)
        found = self.value("[document.documentElement.scrollWidth, window.innerWidth]")
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
        return found


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def start(command: list[str], url: str) -> subprocess.Popen:
    """The run, once its page answers."""
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and run.poll() is None:
        try:
            assert get(f"{url}healthz") == "alive\n"
            return run
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody answered at {url}; the run ended with {run.poll()}")


def metrics_faults(url: str) -> list[str]:
    text = get(f"{url}metrics")
    wrong = [f"/metrics lacks {name}" for name in ("babelquant_units", "babelquant_grants_total") if f"\n{name}" not in text]
    if not shutil.which("promtool"):
        print("SKIPPED: no promtool on the path, so the format of /metrics is not checked")
        return wrong
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    return wrong + [f"promtool: {checked.stdout}{checked.stderr}"] * (checked.returncode != 0)


def page_faults(browser: Browser) -> list[str]:
    """What is wrong with the page in the middle of a run."""
    wrong = []
    rows = browser.value("""[...document.querySelectorAll(".squares tbody th")].map((name) => name.innerText)""")
    languages = browser.value("""new Set([...document.querySelectorAll(".squares bdi")].map((name) => name.lang)).size""")
    if len(rows) < 2 or languages != len(rows):
        wrong.append(f"the languages are {rows}")
    turned = browser.value("""[...document.querySelectorAll(".squares bdi")].filter((name) => ["ara", "heb"].includes(name.lang)).map((name) =>
      name.textContent !== "" && name.matches(":dir(rtl)"))""")
    wrong += [f"right-to-left names: {turned}"] * (not turned or not all(turned))
    browser.value("""document.querySelector(".squares i").dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 }))""")
    said = browser.value("""document.getElementById("tip").hidden ? "" : document.getElementById("tip").textContent""")
    wrong += [f"a square says {said!r} under a pointer"] * (" of " not in said or "layer" not in said and "all" not in said)
    browser.value("""document.getElementById("tip").hidden = true""")
    workers = browser.value("""document.getElementById("workers").innerText""")
    wrong += [f"the workers are {workers!r}"] * ("local" not in workers or "cpu" not in workers)
    key = browser.value("""document.querySelectorAll("#key .swatch").length""")
    return wrong + [f"the key has {key} colours"] * (key < 3)


def watch(browser: Browser, command: list[str], url: str, pictures: pathlib.Path) -> list[str]:
    run = start(command, url)
    try:
        browser.call("Page.navigate", url=url)
        browser.wait("document.querySelectorAll('#tabs option').length > 1", "its configs")
        browser.value("""const tabs = document.getElementById("tabs"); tabs.selectedIndex = tabs.options.length - 1; tabs.dispatchEvent(new Event("change"))""")
        browser.wait(f"{SQUARES}.filter((text) => / [^0] of |[1-9]\\d* of /.test(text) && /: [+−-]?\\d/.test(text)).length > 3", "results of the last config")
        wrong = metrics_faults(url) + page_faults(browser)
        wrong += [f"console: {line}" for line in browser.console]
        run.send_signal(signal.SIGKILL)
        run.wait()
        browser.wait("document.getElementById('state').className.includes('lost')", "that the coordinator is gone")
        run = start(command, url)
        browser.wait("document.getElementById('notes').textContent.includes('started 2 times')", "the coordinator that came back")
        browser.wait("document.getElementById('bar').value > document.getElementById('bar').max / 2", "half of the run")
        for name, (width, height, scheme) in VIEWS.items():
            name = f"live-{name}"
            wide, window = browser.picture(pictures / f"{name}.png", (width, height), scheme)
            wrong += [f"{name}: the page is {wide} px wide in a window of {window}"] * (wide > window)
            print(f"{name}: {pictures / name}.png")
        browser.wait("document.getElementById('state').textContent.startsWith('complete')", "the end of the run")
        units = browser.value("[document.getElementById('bar').value, document.getElementById('bar').max]")
        wrong += [f"at the end {units[0]} of {units[1]} units are done"] * (units[0] != units[1])
        partial = browser.value(f"{SQUARES}.filter((text) => {{ const [, done, all] = text.match(/(\\d+) of (\\d+) shard/); return done !== all; }})")
        wrong += [f"at the end {len(partial)} squares are not full: {partial[:3]}"] * bool(partial)
        expected = ("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_CONNECTION_RESET")
        during = [line for line in browser.console if not any(word in line for word in expected)]
        wrong += [f"console: {line}" for line in during if line not in wrong]
        print(f"the console spoke {len(browser.console)} times while the coordinator was away")
        return wrong
    finally:
        run.kill()


def main() -> None:
    program, pictures = sys.argv[1], pathlib.Path(sys.argv[3]).resolve()
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # A few documents, and shards small enough that a language has several.
        study = pathlib.Path(folder) / "study.toml"
        study.write_text(pathlib.Path(sys.argv[2]).read_text().replace("shard_bytes = 65536", "documents = 12\nshard_bytes = 800"))
        port = free_port()
        command = [program, "run", str(study), "--out", f"{folder}/out", "--http", f"127.0.0.1:{port}"]
        browser = Browser(f"{folder}/profile")
        try:
            wrong = watch(browser, command, f"http://127.0.0.1:{port}/", pictures)
        finally:
            browser.process.kill()
            browser.process.wait()
    conclude(wrong)


main()

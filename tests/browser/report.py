"""Opens a report.html in a headless Chromium and says what is wrong with it: python report.py REPORT.html SCREENSHOTS

Nothing may be logged to the console or loaded, every chart must have drawn marks and a table, a mark must say its numbers under a pointer,
and the page must not be wider than its window. Screenshots of desktop and phone, light and dark, are kept for people to look at.
Needs CPython 3 and a `chromium` on the path (or in the variable CHROMIUM); exits 1 with a line for each fault.
"""

import html
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from chromium import CHROMIUM, OPTIONS, VIEWS, conclude

# Blink's numbers of the schemes.
SCHEMES = {"dark": 0, "light": 1}

# Counts what is drawn, points at the first mark, and leaves what it found in the page. Marks of no size are not drawn. A window of this
# browser cannot be narrower than a laptop's, so the page stands in a frame of the width asked for.
PROBE = """
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => setTimeout(() => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const size = (mark) => { const box = mark.getBoundingClientRect(); return box.width + box.height; };
  const charts = [...page.querySelectorAll("section.chart")].map((chart) => ({
    id: chart.id,
    panels: chart.querySelectorAll("svg.plot").length,
    empty: [...chart.querySelectorAll("svg.plot")].filter(
      (plot) => ![...plot.querySelectorAll(".tt > :not(title)")].some((mark) => size(mark) > 0)).length,
    marks: [...chart.querySelectorAll("svg.plot .tt > :not(title)")].filter((mark) => size(mark) > 0).length,
    rows: chart.querySelectorAll("details table tbody tr").length,
  }));
  const mark = page.querySelector("svg.plot .tt > :not(title)");
  const tip = page.getElementById("tip");
  if (mark) mark.dispatchEvent(new view.PointerEvent("pointermove", { bubbles: true, clientX: 9, clientY: 9 }));
  const said = tip.hidden ? "" : tip.textContent;
  tip.hidden = true;
  const root = page.documentElement;
  const found = { charts, said, width: root.scrollWidth, window: view.innerWidth, height: root.scrollHeight };
  const out = document.createElement("pre");
  out.id = "probe";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
}, 300));
"""


def run(arguments: list[str]) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as profile:
        command = [CHROMIUM, *OPTIONS, "--allow-file-access-from-files", f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=180)


def framed(folder: pathlib.Path, report: pathlib.Path, size: tuple[int, int], script: str) -> pathlib.Path:
    width, height = size
    source = html.escape(report.as_uri(), quote=True)
    style = f"margin:0;border:0;width:{width}px;height:{height}px;display:block"
    page = folder / "frame.html"
    page.write_text(f'<!doctype html><body style="margin:0"><iframe src="{source}" style="{style}"></iframe><script>{script}</script>')
    return page


def probe(report: pathlib.Path, size: tuple[int, int]) -> tuple[dict, list[str]]:
    """What the page looks like at this size, and what the console said."""
    with tempfile.TemporaryDirectory() as folder:
        page = framed(pathlib.Path(folder), report, size, PROBE)
        done = run(["--virtual-time-budget=20000", "--dump-dom", page.as_uri()])
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.S)
    if not found:
        sys.exit(f"the page did not answer:\n{done.stderr[-2000:]}")
    return json.loads(html.unescape(found.group(1))), console


def faults(found: dict, console: list[str], report: pathlib.Path) -> list[str]:
    wrong = [f"console: {line}" for line in console]
    wrong += [f"the page is {found['width']} px wide in a window of {found['window']}"] * (found["width"] > found["window"])
    wrong += ["a mark says nothing under a pointer"] * (not found["said"])
    wrong += ["the page has no charts"] * (not found["charts"])
    for chart in found["charts"]:
        if not chart["marks"] or chart["empty"] or not chart["rows"]:
            wrong.append(f"chart {chart['id']}: {chart}")
    text = report.read_text()
    wrong += [f"loads {address}" for address in re.findall(r'(?:src|href)="(?!#)([^"]*)"', text)]
    return wrong


def main() -> None:
    report, pictures = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    pictures.mkdir(parents=True, exist_ok=True)
    wrong = []
    for name, (width, height, scheme) in VIEWS.items():
        found, console = probe(report, (width, height))
        wrong += [f"{name}: {fault}" for fault in faults(found, console, report)]
        with tempfile.TemporaryDirectory() as folder:
            tall = min(found["height"], 15000)
            page = framed(pathlib.Path(folder), report, (width, tall), "")
            picture = pictures / f"{name}.png"
            run([f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", f"--window-size={width},{tall}", f"--screenshot={picture}", page.as_uri()])
        if not picture.exists():
            wrong.append(f"{name}: no screenshot")
        marks = sum(chart["marks"] for chart in found["charts"])
        print(f"{name}: {len(found['charts'])} charts, {marks} marks, {found['height']} px high; {picture}")
    conclude(wrong)


main()

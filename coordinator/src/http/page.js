// Fills the page from the run's events: the overview each second, one tab of the grid whole and then what changes in it.
"use strict";
(() => {
  const CLASSES = 7;
  const byId = (id) => document.getElementById(id);
  const over = (run) => run.state === "complete" || run.state === "complete_with_quarantine";
  let source = null, tab = 0, shown = null, edges = [];

  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const number = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
  const span = (seconds) => {
    const whole = Math.floor(seconds), part = (unit, size) => Math.floor(whole / unit) % size;
    if (whole < 10) return `${seconds.toFixed(1)} s`;
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${part(60, 60)} min ${whole % 60} s`;
    if (whole < 86400) return `${part(3600, 24)} h ${part(60, 60)} min`;
    return `${Math.floor(whole / 86400)} d ${part(3600, 24)} h`;
  };

  // Classes by magnitude, 1–2–5 apart, the last one with the largest.
  const scale = (values) => {
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const top = largest < 1e-5 ? 1 : largest;
    const decade = Math.floor(Math.log10(top));
    const steps = [3, 2, 1, 0].flatMap((down) => [1, 2, 5].map((digit) => Number(`${digit}e${decade - down}`)));
    return steps.filter((edge) => edge <= top).slice(-CLASSES);
  };
  const colour = (value) => {
    const step = edges.filter((edge) => edge <= Math.abs(value)).length;
    return step === 0 ? "var(--zero)" : `var(--${value > 0 ? "h" : "g"}${step})`;
  };
  const short = (value) => String(Number((1e3 * value).toPrecision(1)));
  const key = () => {
    const swatch = (value, text) => [element("i", "", { class: "swatch", style: `background:${colour(value)}` }), element("small", text)];
    const gains = [...edges].reverse().flatMap((edge) => swatch(-edge, `−${short(edge)}`));
    const losses = edges.flatMap((edge) => swatch(edge, short(edge)));
    const words = [element("span", "better"), element("span", "worse, in 10⁻³ nat per token")];
    byId("key").replaceChildren(words[0], ...gains, ...swatch(0, `< ${short(edges[0])}`), ...losses, words[1]);
  };

  // The squares of a tab, empty, and what stands around them.
  const frame = (data) => {
    const head = element("tr");
    head.append(element("th", ""), ...data.scopes.map((scope) => element("th", scope, scope.length > 6 ? { class: "long" } : {})));
    const rows = data.languages.map(([code], row) => {
      const [, own] = data.names[row];
      const line = element("tr"), name = element("th", undefined, { scope: "row" });
      name.append(element("bdi", own, { lang: code.split("_")[0], dir: "auto" }), " ", element("small", code));
      line.append(name, ...data.scopes.map(() => { const cell = element("td"); cell.append(element("i", "")); return cell; }));
      return line;
    });
    const table = element("table", undefined, { class: "squares" });
    const top = element("thead"), body = element("tbody");
    top.append(head);
    body.append(...rows);
    table.append(top, body);
    byId("grid").replaceChildren(table);
    const omitted = [[data.languages_omitted, "language"], [data.scopes_omitted, "scope"]].filter(([count]) => count > 0);
    byId("left-out").textContent = omitted.map(([count, what]) => `${counted(count, `further ${what}`)} not shown here.`).join(" ");
    return [...body.querySelectorAll("i")];
  };
  const paint = (index) => {
    const [, measured, lost, value] = shown.values[index], mark = shown.marks[index];
    const row = Math.floor(index / shown.scopes.length), shards = shown.languages[row][1];
    const scope = shown.scopes[index % shown.scopes.length];
    const place = `${shown.names[row][0]}, ${/^(enc\.)?\d+$/.test(scope) ? `layer ${scope}` : scope}`;
    const said = value === null ? (measured > 0 ? "measured before this coordinator started, or undefined" : "nothing yet") : (1e3 * value).toFixed(2);
    mark.className = (measured > 0 && value === null ? "earlier " : "") + (lost > 0 ? "lost" : "");
    mark.textContent = lost > 0 ? "×" : "";
    mark.style.setProperty("--filled", `${(100 * measured) / shards}%`);
    if (value !== null) mark.style.setProperty("--colour", colour(value));
    mark.setAttribute("aria-label", `${place}: ${said}; ${measured} of ${counted(shards, "shard")}${lost > 0 ? `, ${lost} given up` : ""}`);
  };
  const add = (squares) => {
    for (const square of squares) shown.values[square[0]] = square;
    const known = shown.values.map((square) => square[3]).filter((value) => value !== null);
    const now = scale(known);
    const same = now.join() === edges.join() && byId("key").hasChildNodes();
    if (!same) {
      edges = now;
      key();
    }
    (same ? squares.map((square) => square[0]) : shown.values.keys()).forEach(paint);
  };
  const begin = (data) => {
    if (data.spec !== document.body.dataset.spec) return location.reload();
    const values = Array.from({ length: data.languages.length * data.scopes.length }, (_, index) => [index, 0, 0, null]);
    shown = { ...data, values, marks: frame(data) };
    edges = [];
    byId("cells").hidden = false;
    byId("key").replaceChildren();
    add(data.squares);
  };

  // A table below its heading; hidden while it has no rows.
  const table = (id, header, rows, total) => {
    const section = byId(id), made = section.querySelector("table");
    section.hidden = rows.length === 0;
    const line = (cells, kind) => {
      const row = element("tr");
      row.append(...cells.map((text) => element(kind, text, typeof text === "number" ? { class: "number" } : {})));
      return row;
    };
    const more = total > rows.length ? [line([`… and ${total - rows.length} more`], "td")] : [];
    made.replaceChildren(line(header, "th"), ...rows.map((row) => line(row, "td")), ...more);
  };
  const words = (unit) => [
    unit.kind, unit.model, unit.layer && `layer ${unit.layer}`, unit.language && `${unit.language}/${unit.shard}`, unit.scope, unit.config,
  ].filter(Boolean).join(" · ");
  const state = (run) => run.state.replaceAll("_", " ").replace("with quarantine", "with quarantined units");
  const overview = (run) => {
    const goesOn = !over(run) && run.units_per_second !== null;
    const speed = goesOn ? `, ${number(run.units_per_second)} units/s` : "";
    const left = goesOn && run.seconds_left !== null ? `, ${span(run.seconds_left)} left` : "";
    const line = byId("state");
    line.className = "lead";
    line.textContent = `${state(run)}: ${run.done} of ${run.units} units done${speed}${left}`;
    byId("bar").max = Math.max(run.units, 1);
    byId("bar").value = run.done + run.quarantined;
    const engines = new Set(run.workers.map((worker) => worker.engine));
    byId("notes").textContent = [
      `${run.granted} lent to ${counted(run.workers_total, "worker")}, ${run.quarantined} given up`
        + (run.epoch > 1 ? `; coordinator started ${run.epoch} times` : ""),
      engines.size === 1 ? `engine ${[...engines][0]}` : "",
      run.degraded ? `nothing has been granted for ${span(run.degraded.seconds)}: ${run.degraded.reason}` : "",
      run.drained.length > 0 ? `drained by the operator: ${run.drained.join(", ")}` : "",
    ].filter(Boolean).join("\n");
    const rate = (worker) => (worker.units_per_second === null ? "–" : number(worker.units_per_second));
    table("workers", ["worker", "engine", "holds", "done", "units/s", "heard", ""], run.workers.map((worker) => [
      worker.name, worker.engine, worker.held, worker.accepted, rate(worker), `${span(worker.last_contact_seconds)} ago`,
      [worker.draining ? "draining" : "", worker.lacks.length > 0 ? `lacks ${worker.lacks.join(", ")}` : ""].filter(Boolean).join(" "),
    ]), run.workers_total);
    table("held", ["unit", "", "by", "for"], run.longest_held.map((held) => [held.unit, words(held), held.worker, span(held.held_seconds)]), 0);
    table("quarantined", ["unit", "", "because of"], run.quarantined_units.map((unit) => [unit.unit, words(unit), [unit.fault, unit.detail].filter(Boolean).join(": ")]), run.quarantined);
    if (over(run)) source.close();
  };

  const open = () => {
    if (source) source.close();
    source = new EventSource(`events?tab=${tab}`);
    source.addEventListener("tab", (event) => begin(JSON.parse(event.data)));
    source.addEventListener("squares", (event) => shown && add(JSON.parse(event.data)));
    source.addEventListener("overview", (event) => overview(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      byId("state").className = "lead lost";
      byId("state").textContent = "The coordinator does not answer; trying again. Below is what it said last.";
      if (source.readyState === EventSource.CLOSED) setTimeout(open, 2000);
    });
  };
  const tabs = byId("tabs");
  if (tabs) tabs.addEventListener("change", () => { tab = Number(tabs.value); open(); });

  const tip = byId("tip");
  const show = (event) => {
    const mark = event.target.closest ? event.target.closest(".squares i") : null;
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    const right = event.clientX + 14 + tip.offsetWidth > document.documentElement.clientWidth;
    tip.style.left = `${right ? Math.max(4, event.clientX - 14 - tip.offsetWidth) : event.clientX + 14}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
  };
  document.addEventListener("pointermove", show, { passive: true });
  document.addEventListener("pointerdown", show, { passive: true });
  open();
})();

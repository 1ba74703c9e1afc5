"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const [table, detail, port] = [element("matrix"), element("detail"), element("port")];
const filters = { from: element("from"), to: element("to") };

/** Above so many parties, namespaces start folded. */
const FOLD_FROM = 40;
/** Up to so many parties that a filter leaves, their namespaces unfold by themselves. */
const UNFOLD_TO = 60;
const ORDER = ["all", "some", "none", "unasked"];
const WORDS = { all: "everything", some: "some", none: "nothing", unasked: "not asked", share: "some pairs" };

const parties = [];
for (const [g, group] of data.groups.entries()) {
  for (const party of group.parties) {
    const place = group.kind === "workloads" ? group.name + "/" : "";
    parties[party.id] = { ...party, group: g, place, full: place + party.name };
  }
}
const folded = new Set();
const foldable = data.groups.flatMap((group, g) => (group.parties.length > 1 ? [g] : []));
if (parties.length > FOLD_FROM) foldable.forEach((g) => folded.add(g));

/** What is on screen: rows, columns, and the cell that has the focus. */
let view = { rows: [], columns: [] };
let current = { row: 0, column: 0 };
let pinned = null;

const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** The outcomes of a pair with their ports, as far as they are asked for. */
function outcomes(from, to) {
  const profile = data.profiles[data.cells[from][to]];
  const all = profile.map((outcome, i) => ({ port: i, outcome: data.outcomes[outcome] }));
  return port.value === "" ? all : all.filter(({ port: i }) => String(i) === port.value);
}

/** All, none or some; what was not asked does not count. */
function together(reaches) {
  const asked = reaches.filter((reach) => reach !== "unasked");
  if (asked.length === 0) return "unasked";
  return asked.every((reach) => reach === asked[0]) ? asked[0] : "some";
}

const reach = (from, to) => together(outcomes(from, to).map(({ outcome }) => outcome.reach));

/** How many pairs of two lines have which reach, and the mark for all of them. */
function count(row, column) {
  const counts = { all: 0, some: 0, none: 0, unasked: 0 };
  for (const from of row.parties) for (const to of column.parties) counts[reach(from, to)]++;
  const asked = counts.all + counts.some + counts.none;
  const kinds = ["all", "some", "none"].filter((kind) => counts[kind] > 0);
  const mark = asked === 0 ? "unasked" : kinds.length === 1 ? kinds[0] : "share";
  return { ...counts, asked, mark };
}

/** The rows or columns that a filter leaves. */
function lines(filter) {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (party) => [data.groups[party.group].name, party.full, ...party.members].join(" ").toLowerCase();
  const left = parties.filter((party) => words.every((word) => text(party).includes(word)));
  const unfold = words.length > 0 && left.length <= UNFOLD_TO;
  return data.groups.flatMap((group, g) => {
    const members = left.filter((party) => party.group === g);
    if (members.length === 0) return [];
    if (members.length > 1 && folded.has(g) && !unfold) {
      return [{ group: g, whole: true, size: 1, parties: members.map((party) => party.id), first: true }];
    }
    return members.map((party, i) => ({ group: g, parties: [party.id], first: i === 0, size: members.length }));
  });
}

const sizeOf = (line) => line.parties.reduce((sum, id) => sum + parties[id].members.length, 0);

function toggle(line) {
  const { name } = data.groups[line.group];
  if (!foldable.includes(line.group)) return `<span class="toggle fixed" title="${escape(name)}">${escape(name)}</span>`;
  const sign = line.whole ? "▸" : "▾";
  const number = line.whole ? ` <span class="count">${sizeOf(line)}</span>` : "";
  return `<button type="button" class="toggle" data-group="${line.group}" aria-expanded="${!line.whole}" title="${escape(name)}">${sign} ${escape(name)}${number}</button>`;
}

function columnHeads(size) {
  const heads = { groups: "", parties: "" };
  for (const [c, line] of view.columns.entries()) {
    const attributes = `data-column="${c}" class="${line.first ? "first " : ""}`;
    const party = parties[line.parties[0]];
    const wide = line.size * size > data.groups[line.group].name.length * 7 + 26;
    if (line.whole) {
      heads.groups += `<th scope="col" rowspan="2" ${attributes}tall"><div class="upright"><span class="name">${toggle(line)}</span></div></th>`;
    } else if (wide) {
      if (line.first) heads.groups += `<th scope="colgroup" colspan="${line.size}" class="first bundle"><div class="name" style="width:${line.size * size}px">${toggle(line)}</div></th>`;
      heads.parties += `<th scope="col" ${attributes}"><div class="upright" title="${escape(party.full)}"><span class="name">${escape(party.name)}</span></div></th>`;
    } else {
      heads.groups += `<th scope="col" rowspan="2" ${attributes}tall"><div class="upright" title="${escape(party.full)}"><span class="name"><span class="dim">${escape(party.place)}</span>${escape(party.name)}</span></div></th>`;
    }
  }
  return `<thead><tr><th class="corner" rowspan="2" colspan="2">from ↓ &nbsp; to →</th>${heads.groups}</tr><tr>${heads.parties}</tr></thead>`;
}

function rowHead(line) {
  if (line.whole) return `<th scope="row" colspan="2" class="group whole">${toggle(line)}</th>`;
  const party = parties[line.parties[0]];
  const group = line.first ? `<th scope="rowgroup" rowspan="${line.size}" class="group">${toggle(line)}</th>` : "";
  return `${group}<th scope="row" class="party"><div class="name" title="${escape(party.full)}">${escape(party.name)}</div></th>`;
}

function cell(row, column, c) {
  const counts = count(row, column);
  // Few are not none: what is there is seen.
  const [all, some] = [counts.all, counts.some].map((n) => (n > 0 ? Math.max(14, Math.round((86 * n) / counts.asked)) : 0));
  const [a, b] = [all, all + some];
  const share = counts.mark === "share" ? ` style="--a:${a}%;--b:${b}%"` : "";
  return `<td role="gridcell" tabindex="-1" data-column="${c}" class="${counts.mark}${column.first ? " first" : ""}"${share}></td>`;
}

function draw() {
  view = { rows: lines(filters.from), columns: lines(filters.to) };
  pinned = null;
  if (view.rows.length === 0 || view.columns.length === 0) {
    table.innerHTML = '<tbody><tr><td class="empty unasked">Nobody has such a name.</td></tr></tbody>';
    return;
  }
  const most = Math.max(view.rows.length, view.columns.length);
  const size = most <= 10 ? 56 : most <= 18 ? 40 : most <= 40 ? 28 : 20;
  const longest = Math.max(...view.rows.map((line) => (line.whole ? 0 : parties[line.parties[0]].name.length)));
  const highest = Math.max(...view.columns.map((line) => nameOf(line).length));
  table.style.setProperty("--size", `${size}px`);
  table.style.setProperty("--second", `${Math.min(220, Math.max(96, longest * 7.6 + 22))}px`);
  const widest = Math.max(...view.rows.map((line) => data.groups[line.group].name.length));
  table.style.setProperty("--first", `${Math.min(210, Math.max(110, widest * 8 + 46))}px`);
  table.style.setProperty("--label", `${Math.min(190, Math.max(90, highest * 7 + 22))}px`);
  table.style.fontSize = size < 28 ? "12px" : "13px";
  const columns = `<colgroup><col span="2">${view.columns.map(() => "<col>").join("")}</colgroup>`;
  const rows = view.rows.map((row, r) => {
    const cells = view.columns.map((column, c) => cell(row, column, c)).join("");
    return `<tr data-row="${r}" class="${row.first ? "first" : ""}">${rowHead(row)}${cells}</tr>`;
  });
  table.innerHTML = `${columns}${columnHeads(size)}<tbody>${rows.join("")}</tbody>`;
  current = { row: Math.min(current.row, view.rows.length - 1), column: Math.min(current.column, view.columns.length - 1) };
  at(current).tabIndex = 0;
  element("fold").textContent = folded.size > 0 ? "Expand all" : "Collapse all";
  element("fold").hidden = foldable.length === 0;
  welcome();
}

const at = ({ row, column }) => table.querySelector(`tr[data-row="${row}"] > td[data-column="${column}"]`);

/** Lights up the row and the column of a cell, and tells what is known of it. */
function show(place) {
  table.querySelectorAll(".hot").forEach((hot) => hot.classList.remove("hot"));
  if (!place) return;
  table.querySelector(`tr[data-row="${place.row}"]`).classList.add("hot");
  table.querySelectorAll("col")[place.column + 1].classList.add("hot");
  table.querySelector(`thead th[data-column="${place.column}"]`)?.classList.add("hot");
  describe(view.rows[place.row], view.columns[place.column]);
}

function nameOf(line) {
  return line.whole ? data.groups[line.group].name : parties[line.parties[0]].full;
}

function describe(row, column) {
  const title = `<h2>${escape(nameOf(row))} <span class="arrow">→</span> ${escape(nameOf(column))}</h2>`;
  detail.innerHTML = title + (row.whole || column.whole ? ofMany(row, column) : ofPair(parties[row.parties[0]], parties[column.parties[0]]));
}

const pill = (kind) => `<span class="pill ${kind}">${WORDS[kind]}</span>`;

function ofMany(row, column) {
  const { all, some, none, asked } = count(row, column);
  if (asked === 0) return "<p>No policy is asked.</p>";
  const pairs = row.parties.flatMap((from) => column.parties.map((to) => ({ from, to, reach: reach(from, to) })));
  const open = pairs.filter((pair) => pair.reach === "all" || pair.reach === "some");
  const entry = (pair) => `<dt>${pair.reach}</dt><dd>${escape(parties[pair.from].full)} → ${escape(parties[pair.to].full)}</dd>`;
  const list = open.slice(0, 30).map(entry).join("");
  const more = open.length > 30 ? `<p class="dim">and ${open.length - 30} more</p>` : "";
  return `<p>Of ${asked} pairs, <b>${all}</b> with everything, <b>${some}</b> with some, <b>${none}</b> with nothing.</p><section><dl>${list}</dl>${more}</section>`;
}

function ofPair(from, to) {
  const groups = new Map();
  for (const { port: i, outcome } of outcomes(from.id, to.id)) {
    groups.set(outcome, [...(groups.get(outcome) ?? []), i]);
  }
  const members = (party) => (party.members.length > 1 ? `<p class="members">${escape(party.name)}: ${escape(party.members.join(", "))}</p>` : "");
  const sorted = [...groups].sort(([a], [b]) => ORDER.indexOf(a.reach) - ORDER.indexOf(b.reach));
  const answers = sorted.map(([outcome, ports]) => answer(outcome, ports)).join("");
  return members(from) + (from === to ? "" : members(to)) + answers + command(from, to, sorted[0]);
}

function answer(outcome, ports) {
  if (outcome.reach === "unasked") return "<section><p>Neither is in the cluster, so no policy is asked.</p></section>";
  const every = ports.length > 1 && ports.length === data.ports.length;
  const labels = every ? "every port" : ports.map((i) => escape(data.ports[i].label)).join(", ");
  const passing = (outcome.passing ?? []).map(({ what, rule }) => `<span class="request">${escape(what)}</span>${ruleOf(rule)}`);
  const requests = passing.length > 0 ? `<dt>what passes</dt><dd>${passing.join("")}</dd>` : "";
  const proof = outcome.authentication ? `<dt>authentication</dt><dd>${escape(outcome.authentication)}</dd>` : "";
  return `<section><h3><span>${labels}</span>${pill(outcome.reach)}</h3><dl>${requests}${side("egress", data.sides[outcome.egress])}${side("ingress", data.sides[outcome.ingress])}${proof}</dl></section>`;
}

function side(direction, said) {
  if (!said) return `<dt>${direction}</dt><dd class="dim">not asked: outside the cluster</dd>`;
  return `<dt>${direction}</dt><dd><b>${said.verdict}</b>: ${escape(said.explanation)}${ruleOf(said.rule)}</dd>`;
}

const ruleOf = (rule) => (rule ? `<span class="rule">${escape(rule).replace(" ", "<br>")}</span>` : "");

/** How to ask about the pair on the first of its ports. */
function command(from, to, [outcome, [first]]) {
  if (outcome.reach === "unasked") return "";
  const names = [from, to].flatMap((party) => (party.fqdn ? [`--fqdn ${party.fqdn}`] : []));
  const options = [`--from ${from.peer}`, `--to ${to.peer}`, `--port ${data.ports[first].sample}`, ...names];
  const trace = ["portcullis trace -f …", ...options].join(" \\\n  ");
  return `<section><dl><dt>ask for the whole story</dt></dl><pre><code>${escape(trace)}</code></pre></section>`;
}

function welcome() {
  detail.innerHTML = `<h2>Point at a cell</h2>
    <p>It tells the verdict for every port, the rule that decides, and what may pass.</p>
    <ul class="keys">
    <li><kbd>↑</kbd> <kbd>↓</kbd> <kbd>←</kbd> <kbd>→</kbd> go from cell to cell</li>
    <li><kbd>Enter</kbd> or a click holds a cell, <kbd>Esc</kbd> lets go</li>
    <li><kbd>/</kbd> goes to the filters</li>
    </ul>`;
}

function summarize() {
  const workloads = parties.filter((party) => party.place !== "").reduce((sum, party) => sum + party.members.length, 0);
  const classes = parties.length;
  const ports = data.ports.length;
  element("summary").textContent = `${workloads} workloads in ${classes} classes with the world around them, ${ports} ${ports === 1 ? "class" : "classes"} of ports`;
  const all = ports > 1 ? '<option value="">all ports together</option>' : "";
  port.innerHTML = all + data.ports.map(({ label }, i) => `<option value="${i}">${escape(label)}</option>`).join("");
}

function placeOf(target) {
  const found = target.closest?.("td[data-column]");
  return found && { row: Number(found.parentElement.dataset.row), column: Number(found.dataset.column) };
}

function focus(place) {
  at(current).tabIndex = -1;
  current = place;
  const found = at(current);
  const words = WORDS[count(view.rows[place.row], view.columns[place.column]).mark];
  found.setAttribute("aria-label", `${nameOf(view.rows[place.row])} to ${nameOf(view.columns[place.column])}: ${words}`);
  found.tabIndex = 0;
  found.focus();
  found.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function pin(place) {
  table.querySelector(".pinned")?.classList.remove("pinned");
  pinned = place;
  if (place) at(place).classList.add("pinned");
  show(place);
}

table.addEventListener("mouseover", (event) => {
  const place = placeOf(event.target);
  if (place && !pinned) show(place);
});
table.addEventListener("focusin", (event) => {
  const place = placeOf(event.target);
  if (place && !pinned) show(place);
});
table.addEventListener("click", (event) => {
  const group = event.target.closest("button[data-group]")?.dataset.group;
  if (group !== undefined) {
    const g = Number(group);
    if (!folded.delete(g)) folded.add(g);
    draw();
    table.querySelector(`tbody button[data-group="${g}"]`)?.focus();
    return;
  }
  const place = placeOf(event.target);
  if (place) {
    focus(place);
    pin(place);
  }
});
table.addEventListener("keydown", (event) => {
  const place = placeOf(event.target);
  if (!place) return;
  const { row, column } = place;
  const [lastRow, lastColumn] = [view.rows.length - 1, view.columns.length - 1];
  const next = {
    ArrowUp: { row: Math.max(0, row - 1), column },
    ArrowDown: { row: Math.min(lastRow, row + 1), column },
    ArrowLeft: { row, column: Math.max(0, column - 1) },
    ArrowRight: { row, column: Math.min(lastColumn, column + 1) },
    Home: { row, column: 0 },
    End: { row, column: lastColumn },
  }[event.key];
  if (next) {
    event.preventDefault();
    focus(next);
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    pin(place);
  } else if (event.key === "Escape") {
    pin(null);
    show(place);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
    event.preventDefault();
    filters.from.focus();
  }
});
Object.values(filters).forEach((filter) => filter.addEventListener("input", draw));
port.addEventListener("change", draw);
element("fold").addEventListener("click", () => {
  if (folded.size > 0) folded.clear();
  else foldable.forEach((g) => folded.add(g));
  draw();
});
element("theme").addEventListener("click", () => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const { style } = document.documentElement;
  style.colorScheme = (style.colorScheme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
});

summarize();
draw();

"""How the page looks, by day and by night, and what its buttons do: nothing is fetched."""

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b2330; --soft: #566173; --line: #d5dae2;
  --panel: #f5f7fa; --accent: #1d5fd0; --bar: #93a4bd; --near: #5f8fdd; --copied: #b34700; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #12161d; --ink: #e7ebf2; --soft: #a3aec0; --line: #333c4a; --panel: #1b212b;
    --accent: #7fb0ff; --bar: #5c6b83; --near: #4f7fce; --copied: #ffa566; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1500px; padding: 12px 16px 48px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 ui-sans-serif, system-ui, sans-serif; }
h1 { font-size: 1.35rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 32px 0 4px; }
h3 { font-size: 1rem; margin: 20px 0 6px; overflow-wrap: anywhere; }
code, pre { font: 0.86em/1.5 ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: var(--panel); padding: 8px 10px; border-radius: 6px; }
nav { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 6px 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.note, figcaption { color: var(--soft); font-size: 0.86rem; margin: 4px 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: left; white-space: nowrap; }
th.number, td.number { text-align: right; }
thead th { background: var(--panel); border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody th { font-weight: 500; }
tr > th:first-child { position: sticky; left: 0; z-index: 1; background: var(--ground); }
thead tr > th:first-child { background: var(--panel); }
tr.copied > * { background: var(--panel); font-style: italic; }
tbody tr.copied > th:first-child { background: var(--panel);
  box-shadow: inset 3px 0 var(--copied); }
td small { color: var(--soft); font-size: 0.82em; }
.sort { all: unset; cursor: pointer; font-weight: 600; }
.sort:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.sort::after { content: "\\2195"; color: var(--soft); opacity: 0.55; margin-left: 0.35em; }
th[aria-sort=ascending] .sort::after { content: "\\25b2"; opacity: 1; color: var(--accent); }
th[aria-sort=descending] .sort::after { content: "\\25bc"; opacity: 1; color: var(--accent); }
button:not(.sort), select { font: inherit; color: inherit; background: var(--panel);
  border: 1px solid var(--line); border-radius: 6px; padding: 4px 10px; min-height: 34px; }
.bars { margin: 14px 0; max-width: 860px; }
.bars p { margin: 0 0 6px; }
svg { display: block; overflow: visible; }
svg text { fill: var(--ink); font: 13px ui-sans-serif, system-ui, sans-serif; }
svg text.tick { fill: var(--soft); font-size: 11.5px; }
svg .name, svg .value { paint-order: stroke; stroke: var(--ground); stroke-width: 4px; }
svg .value { font-variant-numeric: tabular-nums; }
svg .best text { font-weight: 700; }
svg rect { fill: var(--bar); }
svg .near rect { fill: var(--near); }
svg .best rect { fill: var(--accent); }
svg .grid { stroke: var(--line); }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; }
svg .copied { stroke: var(--copied); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg text.copied-name { fill: var(--copied); }
.controls { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; position: sticky; top: 0;
  z-index: 2; background: var(--ground); padding: 6px 0; margin: 0; }
#position { flex: 1 1 120px; max-width: 340px; accent-color: var(--accent); }
.mosaic { min-width: calc(var(--columns) * 84px); max-width: calc(var(--columns) * 256px); }
.labels { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); }
.labels span { text-align: center; font-size: 0.82rem; overflow-wrap: anywhere; padding: 2px;
  align-self: end; }
video { display: block; width: 100%; height: auto; background: #000; }
.pictures { display: grid; gap: 10px; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(112px, 1fr)); }
.pictures figure { margin: 0; min-width: 0; display: grid; grid-row: span 5;
  grid-template-rows: subgrid; row-gap: 0; }
.pictures figcaption { color: var(--ink); overflow-wrap: anywhere; }
.pictures img { display: block; width: 100%; max-width: 256px; image-rendering: pixelated; }
.absent { display: grid; place-items: center; aspect-ratio: 1; margin: 0; max-width: 256px;
  border: 1px dashed var(--line); color: var(--soft); }
.legend { display: flex; gap: 12px; align-items: center; max-width: 860px; }
.legend img { width: 72px; border-radius: 50%; flex: none; }
.legend p { margin: 0; color: var(--soft); font-size: 0.9rem; }
"""

SCRIPT = """
"use strict";
for (const button of document.querySelectorAll(".sort")) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const body = head.closest("table").tBodies[0];
    const place = head.cellIndex;
    const other = { ascending: "descending", descending: "ascending" };
    const order = other[head.getAttribute("aria-sort")] || button.dataset.first;
    for (const one of head.parentNode.cells) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const numeric = head.classList.contains("number");
    const key = (row) => {
      const cell = row.cells[place];
      if (numeric) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
      return cell.textContent || null;
    };
    const rows = Array.from(body.rows, (row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);  // what is missing: last
      return sign * (numeric ? a - b : a.localeCompare(b, undefined, { numeric: true }));
    });
    body.append(...rows.map(([, row]) => row));
  });
}
for (const select of document.querySelectorAll("select.metric")) {
  select.addEventListener("change", () => {
    const charts = select.closest("figure").querySelectorAll(".chart");
    charts.forEach((chart, k) => { chart.hidden = k !== Number(select.value); });
  });
}
const films = Array.from(document.querySelectorAll("video"));
const play = document.getElementById("play");
if (play) {
  const speed = document.getElementById("speed");
  const position = document.getElementById("position");
  const show = () => {
    const playing = films.some((film) => !film.paused);
    play.textContent = playing ? "Pause all" : "Play all";
    play.setAttribute("aria-pressed", String(playing));
  };
  play.addEventListener("click", () => {
    const playing = films.some((film) => !film.paused);
    for (const film of films) playing ? film.pause() : film.play();
  });
  document.getElementById("restart").addEventListener("click", () => {
    for (const film of films) film.currentTime = 0;
  });
  speed.addEventListener("change", () => {
    for (const film of films) {
      film.defaultPlaybackRate = Number(speed.value);
      film.playbackRate = Number(speed.value);
    }
  });
  position.addEventListener("input", () => {
    for (const film of films) {
      film.pause();
      // not the very end, where no frame is shown
      film.currentTime = 0.999 * film.duration * Number(position.value) / 1000;
    }
  });
  films[0].addEventListener("timeupdate", () => {
    if (!films[0].paused) position.value = 1000 * films[0].currentTime / films[0].duration;
  });
  for (const film of films) {
    film.addEventListener("play", show);
    film.addEventListener("pause", show);
  }
}
"""

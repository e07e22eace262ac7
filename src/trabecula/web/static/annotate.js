// The annotation screen: one case after the other, its film, the tools, what is measured, what is saved.
import { ask, fill, say, words } from "/static/shell.js";
import { fetchFilm, FilmView, takesKeys } from "/static/viewer.js";
import { Sender, Steps } from "/static/drawing.js";
import { paintDrawing, paintPoints } from "/static/overlay.js";
import { brush, corners, POINTS, sixPoints } from "/static/tools.js";

/** @typedef {{case_id: string, level: string, view: string, states: Record<string, string>}} Listed */

const IDLE = 60_000; // milliseconds without a key or a move after which the clock of a case stands still
const SIGNS = { "not started": "○", "in progress": "◐", completed: "●", flagged: "⚑" };
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

const t = await words();
const canvas = /** @type {HTMLCanvasElement} */ ($("film"));
const view = new FilmView(canvas, { keys: document, flipped: t.annotate_flipped });
let list = /** @type {{reader: string, readers: string[], cases: Listed[]}} */ ({ reader: "", readers: [], cases: [] });
let open = ""; // the case on the screen
let steps = new Steps();
let sender = /** @type {Sender | null} */ (null);
let seconds = 0;
let radius = 12;
let hidden = false;
let lastActive = performance.now();

/** @type {import("./tools.js").Desk} */
const desk = {
  view,
  now: () => steps.now,
  act,
  accept: complete,
  radius: () => radius,
  snap,
  measured: showMeasures,
};
/** @type {Record<string, import("./tools.js").DrawingTool>} */
const tools = { six: sixPoints(desk), wire: corners(desk, true), polygon: corners(desk, false), brush: brush(desk, true), eraser: brush(desk, false) };
let tool = tools.six;

view.layers.push((pen) => {
  if (hidden) return;
  const drawn = tool.drawn?.() ?? steps.now;
  paintDrawing(pen, view, drawn);
  paintPoints(pen, view, drawn.points, tool.held?.());
  tool.paint?.(pen);
});

/** @param {import("./drawing.js").Step} step */
function act(step) {
  if (!sender) return;
  steps.take(step);
  sender.send(step);
  drawingChanged();
}

function drawingChanged() {
  const { points, outline, closed } = steps.now;
  const xs = outline.map(([x]) => x), ys = outline.map(([, y]) => y);
  view.box = outline.length ? [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] : null;
  if (!closed) showMeasures(null);
  $("undo").disabled = !steps.canUndo;
  $("redo").disabled = !steps.canRedo;
  showGuide(points.length, closed);
  view.redraw();
}

/** Six points to the outline at the edge; null where the server refuses or is away. @param {import("./drawing.js").Pair[]} points */
async function snap(points) {
  const start = performance.now(), of = open;
  try {
    const found = await ask(`/api/annotate/snap/${encodeURIComponent(open)}`, { points });
    if (of !== open) return null;
    canvas.dataset.snapMs = String(performance.now() - start);
    showMeasures(found.measures);
    return found;
  } catch (error) {
    const away = error instanceof TypeError;
    say(away ? t.annotate_server_away : /** @type {Error} */ (error).message, true);
    if (away) act({ kind: "shape", tool: "six", points, outline: [], closed: false });
    return null;
  }
}

/** @param {any} found */
function showMeasures(found) {
  const put = (/** @type {string} */ id, /** @type {number | null | undefined} */ value, digits = 1, unit = "") =>
    ($(id).textContent = value === null || value === undefined ? "–" : `${value.toFixed(digits)}${unit}`);
  const unit = found ? ` ${found.unit}` : "";
  put("ha", found?.anterior, 1, unit);
  put("hm", found?.middle, 1, unit);
  put("hp", found?.posterior, 1, unit);
  put("ap", found?.anterior_to_posterior, 2);
  put("mp", found?.middle_to_posterior, 2);
  put("loss", found ? 100 * found.loss : null, 0, " %");
  put("grade", found?.grade, 0);
  $("grade").dataset.grade = found ? found.grade : "";
  $("measured-from").textContent = found ? t[found.source === "region" ? "annotate_from_region" : "annotate_from_points"] : "";
  showWarnings("measure-warnings", found?.warnings ?? []);
}

/** @param {string} id @param {string[]} keys */
function showWarnings(id, keys) {
  $(id).replaceChildren(...keys.map((key) => Object.assign(document.createElement("p"), { className: "warn", textContent: t[key] })));
}

/** @param {number} count @param {boolean} closed */
function showGuide(count, closed) {
  const next = tool.name === "six" && !closed && count < POINTS ? count : -1;
  for (const mark of document.querySelectorAll("#guide [data-point]")) {
    const number = Number(/** @type {SVGElement} */ (mark).dataset.point);
    mark.classList.toggle("next", number === next);
    mark.classList.toggle("done", number < count);
  }
  $("next").textContent = next >= 0 ? fill(t.annotate_next_point, { number: next + 1, name: t[`annotate_point_${next}`] }) : t[`annotate_hint_${tool.name}`];
}

async function refresh() {
  list = await ask("/api/annotate/cases");
  const { reader } = list;
  $("case").replaceChildren(
    ...list.cases.map((one) => new Option(`${SIGNS[one.states[reader]]} ${one.case_id}`, one.case_id, false, one.case_id === open)),
  );
  const done = (/** @type {string} */ name) => list.cases.filter((one) => ["completed", "flagged"].includes(one.states[name])).length;
  $("progress").replaceChildren(
    ...list.readers.map((name) => {
      const row = document.createElement("li");
      const bar = Object.assign(document.createElement("progress"), { max: list.cases.length || 1, value: done(name) });
      bar.setAttribute("aria-label", name);
      row.append(`${name} `, bar, ` ${done(name)} / ${list.cases.length}`);
      return row;
    }),
  );
  const now = list.cases.find((one) => one.case_id === open);
  if (now) $("state").textContent = `${SIGNS[now.states[reader]]} ${t[`annotate_state_${now.states[reader].replace(" ", "_")}`]}`;
}

/** @param {string} caseId */
async function show(caseId) {
  if (sender && !(await sender.settled())) return say(t.annotate_not_sent, true);
  say(t.annotate_opening);
  try {
    const at = encodeURIComponent(caseId);
    const [film, about] = await Promise.all([fetchFilm(`/api/annotate/film/${at}`), ask(`/api/annotate/case/${at}`)]);
    tool.leave();
    open = caseId;
    history.replaceState(null, "", `/annotate?case=${at}`);
    take(film, about);
    say("");
    await refresh();
  } catch (error) {
    say(/** @type {Error} */ (error).message, true);
  }
}

/** @param {any} film @param {any} about */
function take(film, about) {
  steps = new Steps(about.steps);
  seconds = about.seconds;
  sender = new Sender(list.reader, open, about.steps.length, heard);
  const kept = sender.kept(about.steps);
  [$("level").value, $("view").value, $("note").value] = [about.level, about.view || "lateral", about.note];
  $("guide").classList.toggle("mirrored", film.anterior === "right");
  $("spacing").textContent = film.spacing_mm
    ? `${film.spacing_mm.map((/** @type {number} */ one) => +one.toPrecision(4)).join(" × ")} ${film.unit} (${film.spacing_source.replaceAll("_", " ")})`
    : t.annotate_no_spacing;
  showWarnings("case-warnings", about.warnings);
  view.show(film);
  drawingChanged();
  showMeasures(about.measures);
  kept.forEach(act);
  if (kept.length) say(fill(t.annotate_recovered, { n: kept.length }));
}

/** What became of a step. @param {{measures?: any, waiting: number, trouble?: Error}} event */
function heard({ measures, waiting, trouble }) {
  $("sent").textContent = waiting ? fill(t.annotate_waiting, { n: waiting }) : t.annotate_on_disk;
  if (trouble) say(trouble instanceof TypeError ? t.annotate_server_away : trouble.message, true);
  else if ($("said").classList.contains("bad")) say("");
  if (measures !== undefined && !waiting && steps.now.closed && !tool.drawn?.()) showMeasures(measures);
}

/** @param {"completed" | "flagged"} state */
async function save(state) {
  if (!sender || !open) return;
  if (!(await sender.settled())) return say(t.annotate_not_sent, true);
  const { level, width, inverted } = view;
  try {
    await ask(`/api/annotate/save/${encodeURIComponent(open)}`, {
      state, steps: sender.count, note: $("note").value, level: $("level").value, view: $("view").value,
      seconds: Math.round(seconds), window: { level, width, inverted },
    });
    say(fill(t[`annotate_saved_${state}`], { name: open }));
    await refresh();
  } catch (error) {
    say(/** @type {Error} */ (error).message, true);
  }
}

async function complete() {
  if (tool.close?.()) return;
  await save("completed");
}

/** @param {number} by */
function turn(by) {
  const at = list.cases.findIndex((one) => one.case_id === open) + by;
  if (list.cases[at]) show(list.cases[at].case_id);
}

function nextUnfinished() {
  const at = list.cases.findIndex((one) => one.case_id === open);
  const order = [...list.cases.slice(at + 1), ...list.cases.slice(0, at)];
  const next = order.find((one) => !["completed", "flagged"].includes(one.states[list.reader]));
  if (next) show(next.case_id);
  else say(t.annotate_all_done);
}

/** @param {string} name */
function choose(name) {
  tool.leave();
  tool = tools[name];
  view.tool = tool;
  canvas.dataset.tool = name;
  for (const button of document.querySelectorAll("[data-tool]:not(canvas)")) {
    button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.tool === name));
  }
  drawingChanged();
}

/** @param {number} factor */
function resizeBrush(factor) {
  radius = Math.round(Math.min(Math.max(radius * factor, 1), 400) * 10) / 10;
  $("radius").textContent = fill(t.annotate_radius, { px: radius });
  view.redraw();
}

function takeBack() {
  const { points, outline, closed } = steps.now;
  const drawing = tool.name === "six" ? points : outline;
  if (closed || !drawing.length) return closed ? act({ kind: "undo" }) : undefined;
  if (tool.name === "six") act({ kind: "shape", tool: "six", points: points.slice(0, -1), outline: [], closed: false });
  else act({ kind: "undo" });
}

function askWhy() {
  $("reason").value = $("note").value;
  $("flagging").returnValue = "";
  $("flagging").showModal();
}

function readOut() {
  $("window").textContent = fill(t.annotate_window, { level: +view.level.toPrecision(5), width: +view.width.toPrecision(5) });
}

/** @type {Record<string, () => void>} */
const KEYS = {
  p: () => choose("six"), s: () => choose("wire"), g: () => choose("polygon"), b: () => choose("brush"), e: () => choose("eraser"),
  "[": () => resizeBrush(1 / 1.2), "]": () => resizeBrush(1.2), n: nextUnfinished, PageUp: () => turn(-1), PageDown: () => turn(1),
  x: takeBack, Backspace: takeBack, Enter: complete, Escape: () => void (tool.cancel() || view.hideCursor()), f: askWhy,
  "?": () => $("help").showModal(),
};
/** @type {Record<string, () => void>} */
const WITH_CONTROL = { z: () => act({ kind: "undo" }), y: () => act({ kind: "redo" }), Z: () => act({ kind: "redo" }) };

document.addEventListener("keydown", (event) => {
  lastActive = performance.now();
  if (event.defaultPrevented || takesKeys(event) || event.altKey) return;
  const found = event.ctrlKey || event.metaKey ? WITH_CONTROL[event.key] : KEYS[event.key];
  if (event.key === "o" && !event.ctrlKey) {
    hidden = true;
    view.redraw();
  } else if (found) {
    event.preventDefault();
    found();
  }
});
document.addEventListener("keyup", (event) => {
  if (event.key === "o") hidden = false;
  view.redraw();
});
document.addEventListener("pointermove", () => (lastActive = performance.now()));
canvas.addEventListener("pointermove", (event) => {
  const box = canvas.getBoundingClientRect(), at = view.toFilm({ x: event.clientX - box.left, y: event.clientY - box.top });
  const value = view.valueAt(at);
  $("pointed").textContent = value === null ? "" : `${Math.round(at.x)}, ${Math.round(at.y)}: ${+value.toPrecision(6)}`;
});
canvas.addEventListener("wheel", (event) => {
  if (event.shiftKey) {
    event.preventDefault();
    resizeBrush((event.deltaY || event.deltaX) > 0 ? 1 / 1.1 : 1.1);
  }
}, { passive: false });
view.addEventListener("window", readOut);
setInterval(() => {
  if (!document.hidden && performance.now() - lastActive < IDLE) seconds += 1;
}, 1000);
window.addEventListener("beforeunload", (event) => {
  if (sender?.waiting) event.preventDefault();
});

/** @type {Record<string, () => void>} */
const BUTTONS = {
  undo: WITH_CONTROL.z, redo: WITH_CONTROL.y, previous: KEYS.PageUp, following: KEYS.PageDown, unfinished: nextUnfinished,
  invert: () => view.invert(), reset: () => view.reset(), flip: () => view.flip("across"), closer: () => view.zoom(1.25), wider: () => view.zoom(0.8),
  complete, flag: KEYS.f, keys: KEYS["?"],
};
for (const [id, press] of Object.entries(BUTTONS)) $(id).addEventListener("click", press);
for (const button of document.querySelectorAll("button[data-tool]")) button.addEventListener("click", () => choose(/** @type {HTMLElement} */ (button).dataset.tool ?? "six"));
for (const button of document.querySelectorAll("button[data-window]")) button.addEventListener("click", () => view.preset(/** @type {HTMLElement} */ (button).dataset.window));
$("case").addEventListener("change", () => show($("case").value));
$("flagging").addEventListener("close", () => {
  if ($("flagging").returnValue !== "flag") return;
  $("note").value = $("reason").value;
  save("flagged");
});

choose("six");
resizeBrush(1);
try {
  await refresh();
  const wanted = new URLSearchParams(location.search).get("case");
  if (wanted) await show(wanted);
  else if (list.cases.length) nextUnfinished();
  if (!wanted && !open && list.cases.length) await show(list.cases[0].case_id);
  if (!list.cases.length) say(t.annotate_no_cases, true);
} catch (error) {
  say(/** @type {Error} */ (error).message, true);
}
document.body.dataset.ready = "yes";

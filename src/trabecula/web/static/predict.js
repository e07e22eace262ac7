// The prediction screen: a film is dropped, six points are set on it, a bundle is asked, its answer shown beside the film.
import { ask, fill, say, words } from "/static/shell.js";
import { fetchFilm, FilmView, takesKeys } from "/static/viewer.js";
import { paintDrawing, paintPoints } from "/static/overlay.js";
import { receivedFilms } from "/static/received.js";
import { POINTS, sixPoints } from "/static/tools.js";

/**
 * Where a film comes from: how it is read, where it is asked about, what is sent along.
 * @typedef {{read: () => Promise<any>, address: string, sent: Record<string, Blob>, came: import("./received.js").Came | null}} Source
 */

const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const EMPTY = /** @type {import("./drawing.js").Drawn} */ (/** @type {unknown} */ ({ points: [], outline: [], closed: false, strokes: [] }));

const t = await words();
const view = new FilmView($("film"), { keys: document, flipped: t.annotate_flipped });
const received = $("received") && receivedFilms({ open: openReceived });
let source = /** @type {Source | null} */ (null);
let drawn = EMPTY;
let models = /** @type {any[]} */ ([]);

const tool = sixPoints({
  view,
  now: () => drawn,
  act: (step) => {
    drawn = /** @type {any} */ ({ ...EMPTY, ...step });
    changed();
  },
  accept: predict,
  radius: () => 0,
  snap: async () => ({ outline: [], measures: null }), // the outline comes with the answer
  measured: () => undefined,
});
view.tool = tool;
view.layers.push((pen) => {
  const now = tool.drawn?.() ?? drawn;
  paintDrawing(pen, view, now);
  paintPoints(pen, view, now.points, tool.held?.());
});

function changed() {
  const count = drawn.points.length;
  for (const mark of document.querySelectorAll("#guide [data-point]")) {
    const number = Number(/** @type {SVGElement} */ (mark).dataset.point);
    mark.classList.toggle("next", source !== null && number === count);
    mark.classList.toggle("done", number < count);
  }
  const next = fill(t.annotate_next_point, { number: count + 1, name: t[`annotate_point_${count}`] });
  $("next").textContent = source === null ? t.predict_first : count < POINTS ? next : t.predict_ready;
  $("ask").disabled = count < POINTS;
  for (const id of ["again", "invert", "reset"]) $(id).disabled = source === null;
  $("answer").hidden = true;
  received?.offer(null);
  view.redraw();
}

/** @param {File | undefined} image */
async function openFile(image) {
  if (!image) return;
  const sent = { image };
  const read = () => fetchFilm("/api/v1/film", { method: "POST", body: form(sent) });
  await open({ read, address: "/api/v1/predict", sent, came: null });
}

/** A film that the PACS sent; what was asked about it before is asked again. @param {import("./received.js").Came} came */
async function openReceived(came) {
  const address = `/api/v1/received/${came.film}`;
  if (came.question && models.some((one) => one.name === came.question?.model)) {
    $("bundle").value = came.question.model;
    showFields();
  }
  const read = () => fetchFilm(`${address}/film?${new URLSearchParams({ bundle: $("bundle").value })}`);
  if (!(await open({ read, address: `${address}/predict`, sent: {}, came })) || !came.question) return;
  for (const input of $("values").querySelectorAll("input, select")) {
    input.value = input.name === "site" ? came.question.site : (came.question.values[input.name] ?? "");
  }
  const points = came.question.points.trim().split(/\s+/).map((one) => one.split(",").map(Number));
  drawn = /** @type {any} */ ({ ...EMPTY, points });
  changed();
  await predict();
}

/** @param {Source} chosen */
async function open(chosen) {
  $("faults").replaceChildren();
  say(t.annotate_opening);
  try {
    const film = await chosen.read();
    source = chosen;
    drawn = EMPTY;
    $("hint").hidden = true;
    view.show(film);
    say("");
    $("film").focus();
    const spacing = $("values").querySelector("[name=spacing_mm]");
    spacing.closest("label").hidden = film.spacing_mm !== null || chosen.came !== null;
    received?.mark(chosen.came);
    changed();
    return true;
  } catch (error) {
    say(/** @type {Error} */ (error).message, true);
    return false;
  }
}

/** What is sent along, and the bundle that is asked. @param {Record<string, Blob>} sent */
function form(sent) {
  const made = new FormData();
  for (const [name, content] of Object.entries(sent)) made.set(name, content);
  made.set("bundle", $("bundle").value);
  return made;
}

/** Fields for what the chosen model takes. */
function showFields() {
  const model = models.find((one) => one.name === $("bundle").value);
  if (!model) return;
  const fields = Object.entries(model.values).map(([name, levels]) => field(name, name, /** @type {string[]} */ (levels)));
  if (model.sites.length) fields.push(field("site", t.predict_site, model.sites));
  fields.push(field("spacing_mm", t.predict_spacing, []));
  $("values").replaceChildren(...fields);
  changed();
}

/** @param {string} name @param {string} shown @param {string[]} levels */
function field(name, shown, levels) {
  const label = document.createElement("label");
  const input = document.createElement(levels.length ? "select" : "input");
  if (input instanceof HTMLSelectElement) input.append(...["", ...levels].map((one) => new Option(one)));
  else input.inputMode = "decimal";
  input.name = name;
  label.append(`${shown} `, input);
  return label;
}

/** @param {Source} about */
function asked(about) {
  const made = form(about.sent);
  made.set("points", drawn.points.map(([x, y]) => `${x},${y}`).join(" "));
  made.set("heat", "true");
  for (const { name, value } of $("values").querySelectorAll("input, select")) {
    if (value.trim() === "") continue;
    if (name === "site" || name === "spacing_mm") made.set(name, value);
    else made.append("value", `${name}=${value}`);
  }
  return made;
}

async function predict() {
  const about = source;
  if (drawn.points.length < POINTS || about === null) return;
  $("faults").replaceChildren();
  $("ask").disabled = true;
  say(t.predict_asking);
  try {
    const answer = await fetch(about.address, { method: "POST", body: asked(about) });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.message), { faults: said.faults });
    if (source !== about) return; // another film was opened meanwhile
    show(said);
    if (about.came) received?.offer(about.came, said.key);
    say("");
  } catch (error) {
    const { message, faults = [] } = /** @type {any} */ (error);
    const lines = faults.length ? faults.map((/** @type {any} */ one) => `${one.where}: ${one.found}; ${one.expected}. ${one.action}`) : [message];
    $("faults").replaceChildren(...lines.map((/** @type {string} */ line) => paragraph(line, "warn")));
    say(t.predict_refused, true);
  }
  $("ask").disabled = false;
}

/** @param {any} said */
function show(said) {
  drawn = { ...drawn, outline: said.outline ?? [], closed: true };
  view.redraw();
  $("answer-title").textContent = fill(t.predict_answer, { name: said.predicted });
  $("classes").replaceChildren(...Object.entries(said.probabilities).map(([name, p]) => row(said, name, Number(p))));
  const level = Math.round(100 * said.level);
  $("set").textContent = said.prediction_set.length
    ? fill(t.predict_set, { level, names: said.prediction_set.join(", ") })
    : fill(t.predict_set_empty, { level });
  $("warnings").replaceChildren(...said.warnings.map((/** @type {string} */ text) => paragraph(text, "warn")));
  $("scale").textContent = said.drivers_scale;
  $("drivers").replaceChildren(
    ...said.drivers.map((/** @type {any} */ one) => cells([one.feature, signed(one.value) + " SD", signed(one.added)])),
  );
  $("heat").hidden = said.heat_map === null;
  if (said.heat_map !== null) $("heat-map").src = `data:image/png;base64,${said.heat_map}`;
  $("model").textContent = `${said.model} · ${said.bundle}`;
  $("answer").hidden = false;
  $("answer").focus();
}

/** @param {any} said @param {string} name @param {number} p */
function row(said, name, p) {
  const cutoff = said.cutoffs[name];
  const reached = cutoff === null ? t.predict_no_cutoff : fill(p >= cutoff ? t.predict_reached : t.predict_not_reached, { cutoff: share(cutoff) });
  const made = cells([name, share(p), reached]);
  const meter = Object.assign(document.createElement("meter"), { value: p });
  meter.setAttribute("aria-hidden", "true");
  made.children[1].prepend(meter);
  made.classList.toggle("first", name === said.predicted);
  return made;
}

/** @param {string[]} texts */
function cells(texts) {
  const made = document.createElement("tr");
  made.append(...texts.map((textContent, at) => Object.assign(document.createElement("td"), { textContent, className: at ? "number" : "" })));
  return made;
}

const share = (/** @type {number} */ p) => `${(100 * p).toFixed(1)} %`;
const signed = (/** @type {number} */ value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);
const paragraph = (/** @type {string} */ textContent, /** @type {string} */ className) => Object.assign(document.createElement("p"), { textContent, className });

$("file").addEventListener("change", () => openFile($("file").files[0]));
$("bundle").addEventListener("change", () => (showFields(), source && open(source)));
$("ask").addEventListener("click", predict);
$("again").addEventListener("click", () => ((drawn = EMPTY), changed(), $("film").focus()));
$("invert").addEventListener("click", () => view.invert());
$("reset").addEventListener("click", () => view.reset());
document.addEventListener("keydown", (event) => {
  if (takesKeys(event) || event.defaultPrevented) return;
  if (event.key === "Escape") tool.cancel() || view.hideCursor();
  if (event.key === "Enter" && !$("ask").disabled) predict(); // with the crosshair, Enter is a click
  if (event.key !== "Backspace" || !drawn.points.length) return;
  drawn = { ...EMPTY, points: drawn.points.slice(0, -1) };
  changed();
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(name, (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") openFile(event.dataTransfer?.files[0]);
  });
}

models = (await ask("/api/v1/model")).models;
showFields();
await received?.refresh();
document.body.dataset.ready = "true";

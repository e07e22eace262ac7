// The table of cases: filters, each reader's progress, thumbnails as they come into view, classes set in place.
import { ask, element, faultList, fill, say, showFaults, words } from "./shell.js";

/** @typedef {{case_id: string, patient_id: string, film: string, region: string, label: string, cohort: string,
 *   state: string, amiss: [string, string][]}} Case */

const STATES = ["not_started", "in_progress", "completed", "flagged"];
const NONE = "\u0000"; // a filter for what is empty; no class is called so
const t = await words();
const body = /** @type {HTMLTableSectionElement} */ (document.querySelector("#cases tbody"));
const filters = /** @type {HTMLFormElement} */ (document.getElementById("filters"));
const model = /** @type {HTMLTemplateElement} */ (document.getElementById("row"));
const draws = document.querySelector('nav a[href="/annotate"]') !== null;
/** @type {Case[]} */
let cases = [];
/** @type {string[]} */
let classes = [];
let writing = Promise.resolve();
/** @type {Map<Case, HTMLTableRowElement>} */
const rows = new Map();

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    load(/** @type {HTMLTableRowElement} */ (entry.target));
  }
}, { rootMargin: "200px" });

/** Fetch the thumbnail of a row in view, then what reading the film showed. @param {HTMLTableRowElement} row */
function load(row) {
  const picture = /** @type {HTMLImageElement} */ (row.querySelector("img"));
  const query = `case_id=${encodeURIComponent(row.dataset.case ?? "")}`;
  const after = async (failed) => {
    if (failed) picture.replaceWith(element("span", t.cases_no_picture, "bad"));
    const { notes } = await ask(`/api/cases/notes?${query}`);
    for (const note of notes) warn(row, note, failed);
  };
  picture.addEventListener("load", () => after(false));
  picture.addEventListener("error", () => after(true));
  picture.src = `/api/cases/thumbnail?${query}`;
}

/** @param {HTMLTableRowElement} row @param {string} text @param {boolean} bad */
function warn(row, text, bad) {
  row.querySelector(".warnings")?.append(element("p", text, bad ? "bad" : "soft"));
  row.dataset.noted = "1";
}

/** @param {Case} one */
function makeRow(one) {
  const row = /** @type {HTMLTableRowElement} */ (model.content.firstElementChild?.cloneNode(true));
  row.dataset.case = one.case_id;
  const picture = /** @type {HTMLImageElement} */ (row.querySelector("img"));
  picture.alt = `${t.cases_film} ${one.film}`;
  const patient = /** @type {HTMLInputElement} */ (row.querySelector("input"));
  patient.setAttribute("aria-label", `${t.cases_patient}, ${one.case_id}`);
  patient.addEventListener("change", () => edit(one, { patient_id: patient.value }));
  const label = /** @type {HTMLSelectElement} */ (row.querySelector("select"));
  label.setAttribute("aria-label", `${t.cases_class}, ${one.case_id}`);
  const known = one.label && !classes.includes(one.label) ? [...classes, one.label] : classes;
  label.replaceChildren(new Option("–", ""), ...known.map((name) => new Option(name, name)));
  label.addEventListener("change", () => edit(one, { label: label.value }));
  rows.set(one, row);
  show(one);
  return row;
}

/** Fill a row with its case; what is being typed elsewhere in it stays. @param {Case} one @param {Record<string, string>} sent */
function show(one, sent = {}) {
  const row = /** @type {HTMLTableRowElement} */ (rows.get(one));
  const name = /** @type {HTMLElement} */ (row.querySelector("th"));
  const link = Object.assign(document.createElement("a"), { textContent: one.case_id });
  link.href = `/annotate?case=${encodeURIComponent(one.case_id)}`;
  name.replaceChildren(draws ? link : one.case_id);
  const put = (selector, key) => {
    const field = /** @type {HTMLInputElement | HTMLSelectElement} */ (row.querySelector(selector));
    if (document.activeElement !== field || field.value === sent[key]) field.value = one[key];
  };
  put("input", "patient_id");
  put("select", "label");
  const state = /** @type {HTMLElement} */ (row.querySelector(".state span"));
  state.textContent = t[`state_${one.state}`];
  state.className = `mark-${one.state}`;
  /** @type {HTMLElement} */ (row.querySelector(".cohort")).textContent = one.cohort || "–";
  const warnings = /** @type {HTMLElement} */ (row.querySelector(".warnings"));
  for (const old of warnings.querySelectorAll(".bad:not(.film)")) old.remove();
  warnings.prepend(...one.amiss.map(([key, about]) => element("p", fill(t[key], { about }), "bad")));
}

/** Write cells of one case to the table, one change after the other. @param {Case} one @param {Record<string, string>} cells */
function edit(one, cells) {
  writing = writing.finally(() => write(one, cells)); // whatever became of the one before
}

/** @param {Case} one @param {Record<string, string>} cells */
async function write(one, cells) {
  document.getElementById("faults")?.replaceChildren();
  try {
    Object.assign(one, await ask("/api/cases/edit", { case_id: one.case_id, cells }));
    say(fill(t.cases_saved, { case_id: one.case_id }));
  } catch (error) {
    await showFaults(error);
    say(String(/** @type {Error} */ (error).message), true);
  }
  show(one, cells);
  sum();
}

/** Show the rows that pass the filters. */
function filter() {
  const given = new FormData(filters);
  const find = String(given.get("find")).toLowerCase();
  const is = (name, value) => !given.get(name) || (given.get(name) === NONE ? "" : given.get(name)) === value;
  let shown = 0;
  for (const [one, row] of rows) {
    const passes = is("state", one.state) && is("cohort", one.cohort) && is("label", one.label)
      && (!given.get("amiss") || one.amiss.length > 0 || row.dataset.noted === "1")
      && [one.case_id, one.patient_id, one.film].some((text) => text.toLowerCase().includes(find));
    row.hidden = !passes;
    shown += Number(passes);
  }
  const count = /** @type {HTMLElement} */ (document.getElementById("count"));
  count.textContent = shown || !rows.size ? fill(t.cases_shown, { shown, total: rows.size }) : t.cases_no_match;
}

/** Say what is still to be done. */
function sum() {
  const unlabelled = cases.filter((one) => !one.label).length;
  const undrawn = cases.filter((one) => !one.region).length;
  const next = /** @type {HTMLElement} */ (document.getElementById("next"));
  next.hidden = false;
  next.replaceChildren();
  if (undrawn) next.append(element("p", fill(t.cases_undrawn, { n: undrawn })));
  if (unlabelled) next.append(element("p", fill(t.cases_unlabelled, { n: unlabelled })));
  const open = cases.find((one) => one.state === "in_progress" || (one.state === "not_started" && !one.region));
  if (open && draws) next.append(button(t.cases_draw_next, `/annotate?case=${encodeURIComponent(open.case_id)}`));
  if (!undrawn && !unlabelled) next.append(element("p", t.cases_ready), button(t.nav_study, "/study"));
}

/** @param {string} text @param {string} href */
function button(text, href) {
  return Object.assign(element("a", text, "button first"), { href });
}

/** @param {Record<string, Record<string, number>>} progress */
function showProgress(progress) {
  const place = /** @type {HTMLElement} */ (document.getElementById("progress"));
  place.replaceChildren(...Object.entries(progress).map(([reader, of]) => {
    const count = (state) => of[state] ?? 0;
    const item = element("li", "");
    const said = fill(t.cases_reader_progress, {
      reader, completed: count("completed"), total: cases.length, in_progress: count("in progress"),
      flagged: count("flagged"),
    });
    const bar = Object.assign(document.createElement("progress"), { max: cases.length, value: count("completed") });
    bar.setAttribute("aria-label", said);
    item.append(bar, element("span", said));
    return item;
  }));
}

/** @param {string} name @param {[string, string][]} options */
function offer(name, options) {
  const list = /** @type {HTMLSelectElement} */ (filters.elements.namedItem(name));
  list.append(...options.map(([value, text]) => new Option(text, value)));
}

const blind = /** @type {HTMLInputElement} */ (document.getElementById("blind"));
blind.checked = localStorage.getItem("blind") === "1";
const hide = () => document.body.classList.toggle("blind", blind.checked);
blind.addEventListener("change", () => { localStorage.setItem("blind", blind.checked ? "1" : "0"); hide(); });
hide();
filters.addEventListener("input", filter);
filters.addEventListener("submit", (event) => event.preventDefault());

try {
  const told = await ask("/api/cases");
  ({ cases, classes } = told);
  offer("state", STATES.map((state) => [state, t[`state_${state}`]]));
  offer("cohort", [...new Set(cases.map((one) => one.cohort))].map((name) => [name || NONE, name || t.cases_none]));
  offer("label", [[NONE, t.cases_without_class], ...classes.map((name) => [name, name])]);
  body.append(...cases.map(makeRow));
  for (const row of rows.values()) seen.observe(row);
  showProgress(told.progress);
  sum();
  filter();
} catch (error) {
  const said = /** @type {any} */ (error);
  document.getElementById("faults")?.replaceChildren(
    said.faults?.length ? faultList(said.faults, t) : element("p", said.message, "warn"));
  document.getElementById("count")?.replaceChildren();
}

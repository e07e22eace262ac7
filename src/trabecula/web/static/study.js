// study.yaml as a form and as text: the text is what is kept; each change of a field gives a new text, checked at once.
import { ask, element, faultList, say, showFaults, words } from "./shell.js";

const t = await words();
const text = /** @type {HTMLTextAreaElement} */ (document.getElementById("text"));
const save = /** @type {HTMLButtonElement} */ (document.getElementById("save"));
const anyway = /** @type {HTMLButtonElement} */ (document.getElementById("anyway"));
const kept = /** @type {HTMLElement} */ (document.getElementById("kept"));
const place = /** @type {HTMLElement} */ (document.getElementById("faults"));
const fields = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".field")]);
let digest = "";
let onDisk = "";
let asked = 0;
let queue = Promise.resolve();
/** @type {number | undefined} */
let waiting;

/** What a field says, as text; empty where the default holds. @param {HTMLElement} field */
function typed(field) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...field.querySelectorAll("input[type=checkbox]")]);
  if (field.dataset.kind === "section") return boxes[0].checked ? "true" : "";
  if (field.dataset.kind === "choices") return boxes.filter((box) => box.checked).map((box) => box.value).join(", ");
  return /** @type {HTMLInputElement | HTMLSelectElement} */ (field.querySelector("input, select")).value;
}

/** @param {HTMLElement} field @param {string | undefined} value */
function put(field, value) {
  const boxes = /** @type {HTMLInputElement[]} */ ([...field.querySelectorAll("input[type=checkbox]")]);
  if (field.dataset.kind === "section") {
    boxes[0].checked = value !== undefined;
  } else if (field.dataset.kind === "choices") {
    const chosen = (value ?? field.dataset.default ?? "").split(",").map((one) => one.trim());
    for (const box of boxes) box.checked = chosen.includes(box.value);
  } else {
    const input = /** @type {HTMLInputElement | HTMLSelectElement} */ (field.querySelector("input, select"));
    if (document.activeElement !== input || input instanceof HTMLSelectElement) input.value = value ?? "";
  }
  field.classList.toggle("said", value !== undefined);
}

/** Show what the server says of a text. @param {any} told */
function show(told) {
  for (const field of fields) put(field, told.values[field.dataset.name ?? ""]);
  const where = told.faults.map((fault) => fault.where.split(", ").at(-1));
  for (const field of fields) {
    const wrong = where.some((key) => key === field.dataset.name || key?.startsWith(`${field.dataset.name}.`));
    for (const input of field.querySelectorAll("input, select")) input.setAttribute("aria-invalid", String(wrong));
    if (wrong) field.closest("details")?.setAttribute("open", "");
  }
  place.replaceChildren(told.faults.length ? faultList(told.faults, t) : element("p", t.study_fine, "good"));
  const changed = text.value !== onDisk;
  save.disabled = !changed || told.faults.length > 0;
  anyway.hidden = !changed || told.faults.length === 0;
  kept.textContent = changed ? t.study_unsaved : "";
  document.body.dataset.unsaved = changed ? "1" : "";
}

/**
 * Ask about the text, one question after the other; what the latest says is shown.
 * @param {string} address @param {Record<string, unknown>} [change] a field that is set
 */
function examine(address, change) {
  const mine = ++asked;
  queue = queue.then(() => answer(address, change, mine));
}

/** What is typed while a question is under way stays. @param {string} address @param {any} change @param {number} mine */
async function answer(address, change, mine) {
  const sent = text.value;
  try {
    const told = await ask(address, { text: sent, ...change });
    if (text.value !== sent) return change && answer(address, change, mine);
    if (told.text !== sent) text.value = told.text;
    if (mine === asked) show(told);
  } catch (error) {
    if (mine === asked) await showFaults(error);
  }
}

/** @param {boolean} withFaults */
async function keep(withFaults) {
  try {
    const told = await ask("/api/study/save", { text: text.value, digest, anyway: withFaults });
    digest = told.digest;
    if (told.saved) onDisk = text.value;
    show(told);
    if (told.saved) say(t.study_saved);
    else if (told.elsewhere) say(t.study_changed_elsewhere, true);
  } catch (error) {
    await showFaults(error);
  }
}

for (const field of fields) {
  field.addEventListener("change", () => {
    examine("/api/study/set", { name: field.dataset.name, typed: typed(field) });
  });
}
text.addEventListener("input", () => {
  save.disabled = true;
  clearTimeout(waiting);
  waiting = setTimeout(() => examine("/api/study/check"), 300);
});
document.getElementById("form")?.addEventListener("submit", (event) => event.preventDefault());
save.addEventListener("click", () => keep(false));
anyway.addEventListener("click", () => keep(true));
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    if (!save.disabled) keep(false);
  }
});
addEventListener("beforeunload", (event) => {
  if (text.value !== onDisk) event.preventDefault();
});

try {
  const told = await ask("/api/study");
  ({ digest } = told);
  onDisk = text.value = told.text;
  show(told);
} catch (error) {
  await showFaults(error);
}

// The run: started, watched by asking once a second, stopped, gone on with. A reload finds it where it is.
import { ask, element, fill, say, words } from "./shell.js";

const t = await words();
const start = /** @type {HTMLButtonElement} */ (document.getElementById("start"));
const check = /** @type {HTMLButtonElement} */ (document.getElementById("check"));
const stop = /** @type {HTMLButtonElement} */ (document.getElementById("stop"));
const how = /** @type {HTMLElement} */ (document.getElementById("how"));
const steps = /** @type {HTMLElement} */ (document.getElementById("steps"));
const log = /** @type {HTMLElement} */ (document.getElementById("log"));
const box = /** @type {HTMLDetailsElement} */ (document.getElementById("log-box"));
const open = /** @type {HTMLElement} */ (document.getElementById("open"));
let last = "";

/** @param {any} told */
function show(told) {
  const runs = told.how === "running" || told.how === "stopping";
  start.disabled = check.disabled = runs;
  stop.disabled = told.how !== "running";
  start.textContent = told.unfinished && !runs ? t.run_resume : t.run_start;
  const said = fill(t[`run_${told.how}`], { seconds: Math.round(told.seconds) });
  if (how.textContent !== said) how.textContent = said;
  how.className = { done: "good", faults: "bad", failed: "bad" }[told.how] ?? "";
  open.hidden = !(told.how === "done" && told.work === "run");
  steps.replaceChildren(...told.steps.map((step) => {
    const item = element("li", "");
    const bar = Object.assign(document.createElement("progress"), { max: Math.max(step.total, 1), value: step.done });
    bar.setAttribute("aria-label", step.name);
    item.append(element("span", step.name), bar, element("span", `${step.done}/${step.total}`, "soft"));
    return item;
  }));
  const text = told.lines.join("\n");
  if (log.textContent !== text) {
    log.textContent = text;
    log.scrollTop = log.scrollHeight;
  }
  if (told.how !== last && ["faults", "failed"].includes(told.how)) box.open = true;
  last = told.how;
  return runs;
}

async function watch() {
  try {
    const runs = show(await ask("/api/run"));
    setTimeout(watch, runs ? 1000 : 5000);
  } catch {
    setTimeout(watch, 5000);
  }
}

/** @param {"run" | "check"} work */
async function begin(work) {
  if (document.body.dataset.unsaved) {
    say(t.run_save_first, true);
    document.getElementById("save")?.focus();
    return;
  }
  try {
    const { started } = await ask("/api/run/start", { work });
    if (!started) say(t.run_busy, true);
    show(await ask("/api/run"));
    setTimeout(watch, 500);
    stop.focus();
  } catch (error) {
    say(String(/** @type {Error} */ (error).message), true);
  }
}

start.addEventListener("click", () => begin("run"));
check.addEventListener("click", () => begin("check"));
stop.addEventListener("click", async () => {
  await ask("/api/run/stop", {});
  show(await ask("/api/run"));
  start.focus();
});
watch();

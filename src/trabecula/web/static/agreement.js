// Two readers over one another; whose drawing is taken.
import { ask, fill, say, words } from "/static/shell.js";
import { fetchFilm, FilmView } from "/static/viewer.js";
import { COLOURS, paintDrawing, paintPoints } from "/static/overlay.js";

const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
const t = await words();
const view = new FilmView($("film"), { flipped: t.annotate_flipped });
let drawings = /** @type {any[]} */ ([]);
let open = "";

view.layers.push((pen) => {
  drawings.forEach((drawn, number) => {
    paintDrawing(pen, view, drawn, COLOURS[number]);
    paintPoints(pen, view, drawn.points);
  });
});

const pair = () => ({ one: $("one").value, other: $("other").value });
const query = () => new URLSearchParams(pair()).toString();

async function fillTable() {
  const { cases, icc, waiting } = await ask(`/api/agreement/table?${query()}`);
  const dices = cases.map((/** @type {any} */ one) => one.dice);
  const mean = dices.reduce((/** @type {number} */ sum, /** @type {number} */ one) => sum + one, 0) / dices.length;
  $("summary").textContent = dices.length
    ? fill(t.agreement_summary, { n: dices.length, mean: mean.toFixed(3), least: Math.min(...dices).toFixed(3), waiting })
    : t.agreement_none;
  const number = (/** @type {number | null} */ one) => (one === null ? "–" : one.toFixed(2));
  $("icc").textContent = ["anterior", "middle", "posterior"].filter((name) => icc[name]).map((name) => {
    const { value, low, high, cases: n } = icc[name];
    return fill(t.agreement_icc, { name: t[`agreement_${name}`], value: number(value), low: number(low), high: number(high), n });
  }).join("; ");
  $("cases").replaceChildren(...cases.map(row));
  for (const [id, reader] of [["take-one", pair().one], ["take-other", pair().other]]) {
    $(id).textContent = fill(t.agreement_take, { reader });
    $(id).hidden = !cases.length;
  }
  return cases;
}

/** @param {any} one */
function row(one) {
  const line = document.createElement("tr"), press = document.createElement("button");
  press.textContent = one.case_id;
  press.addEventListener("click", () => show(one.case_id));
  const cells = [press, one.dice.toFixed(3), one.taken ?? ""].map((content, at) => {
    const cell = document.createElement("td");
    cell.className = at === 1 ? "number" : "";
    cell.append(content);
    return cell;
  });
  line.append(...cells);
  line.dataset.case = one.case_id;
  if (one.case_id === open) line.setAttribute("aria-current", "true");
  return line;
}

/** @param {string} caseId */
async function show(caseId) {
  await told(async () => {
    const at = encodeURIComponent(caseId);
    const [film, found] = await Promise.all([fetchFilm(`/api/annotate/film/${at}`), ask(`/api/agreement/case/${at}?${query()}`)]);
    [open, drawings] = [caseId, found];
    view.show(film);
    const places = found.flatMap((/** @type {any} */ drawn) => drawn.outline);
    if (places.length) {
      const xs = places.map(([x]) => x), ys = places.map(([, y]) => y);
      view.box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
      const [x0, y0, x1, y1] = view.box;
      const canvas = $("film"), scale = 0.6 * Math.min(canvas.clientWidth / (x1 - x0), canvas.clientHeight / (y1 - y0));
      view.lookAt({ x: (x0 + x1) / 2, y: (y0 + y1) / 2 }, scale);
    }
    $("shown").textContent = caseId;
    for (const id of ["take-one", "take-other"]) $(id).disabled = false;
    for (const line of $("cases").children) line.toggleAttribute("aria-current", line.dataset.case === caseId);
  });
}

/** @param {"one" | "other"} taken */
const take = (taken) => told(async () => {
  const answer = await ask(`/api/agreement/choose/${encodeURIComponent(open)}`, { ...pair(), taken });
  say(fill(t.agreement_took, { name: open, reader: answer.taken }));
  await fillTable();
});

/** @param {() => Promise<void>} work */
async function told(work) {
  try {
    await work();
  } catch (error) {
    say(/** @type {Error} */ (error).message, true);
  }
}

async function compare() {
  [open, drawings] = ["", []];
  for (const id of ["take-one", "take-other"]) $(id).disabled = true;
  view.redraw();
  await told(async () => {
    const cases = await fillTable();
    if (cases.length) await show(cases[0].case_id);
  });
}

$("take-one").addEventListener("click", () => take("one"));
$("take-other").addEventListener("click", () => take("other"));
for (const id of ["one", "other"]) $(id).addEventListener("change", compare);
await told(async () => {
  const readers = await ask("/api/agreement/readers");
  for (const id of ["one", "other"]) $(id).replaceChildren(...readers.map((/** @type {string} */ name) => new Option(name, name)));
  if (readers.length < 2) {
    $("summary").textContent = t.agreement_alone;
    return;
  }
  $("other").value = readers[1];
  await compare();
});
document.body.dataset.ready = "yes";

/**
 * What is drawn, step by step, the same as the server has it on disk; and the way of each step to there.
 *
 * @typedef {import("./viewer.js").Place} Place
 * @typedef {[number, number]} Pair
 * @typedef {{radius: number, path: Pair[], adds: boolean}} Stroke
 * @typedef {{points: Pair[], outline: Pair[], closed: boolean, strokes: Stroke[]}} Drawn
 * @typedef {{kind: "shape", tool: string, points: Pair[], outline: Pair[], closed: boolean}
 *   | {kind: "stroke", tool: string, radius: number, path: Pair[]} | {kind: "undo"} | {kind: "redo"}} Step
 */
import { ask } from "/static/shell.js";

/** @type {Drawn} */
const EMPTY = { points: [], outline: [], closed: false, strokes: [] };
const KEEPS_STROKES = ["drag", "move"];
const PATIENCE = 3000; // milliseconds that a reader waits for the last steps
const LONGEST_WAIT = 8000; // milliseconds between tries

/** Every drawing that there was, and which of them is now. */
export class Steps {
  #made = [EMPTY];
  #at = 0;

  /** @param {Step[]} steps */
  constructor(steps = []) {
    for (const step of steps) this.take(step);
  }

  get now() {
    return this.#made[this.#at];
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#made.length - 1;
  }

  /** @param {Step} step */
  take(step) {
    if (step.kind === "undo") this.#at = Math.max(this.#at - 1, 0);
    else if (step.kind === "redo") this.#at = Math.min(this.#at + 1, this.#made.length - 1);
    else {
      this.#made.length = this.#at + 1;
      this.#made.push(after(this.now, step));
      this.#at += 1;
    }
  }
}

/** @param {Drawn} before @param {Extract<Step, {kind: "shape"} | {kind: "stroke"}>} step @returns {Drawn} */
function after(before, step) {
  if (step.kind === "stroke") {
    const stroke = { radius: step.radius, path: step.path, adds: step.tool === "brush" };
    return { ...before, strokes: [...before.strokes, stroke] };
  }
  const { points, outline, closed } = step;
  return { points, outline, closed, strokes: KEEPS_STROKES.includes(step.tool) ? before.strokes : [] };
}

/** Brings steps to the server in their order; what has not arrived is kept in this browser and sent again. */
export class Sender {
  #name;
  #address;
  #count;
  #waiting = /** @type {Step[]} */ ([]);
  #busy = /** @type {Promise<void> | null} */ (null);
  #tell;

  /**
   * @param {string} reader @param {string} caseId @param {number} count steps that the server has
   * @param {(event: {measures?: any, waiting: number, trouble?: Error}) => void} tell
   */
  constructor(reader, caseId, count, tell) {
    this.#name = `trabecula/${reader}/${caseId}`;
    this.#address = `/api/annotate/step/${encodeURIComponent(caseId)}`;
    this.#count = count;
    this.#tell = tell;
  }

  get count() {
    return this.#count + this.#waiting.length;
  }

  get waiting() {
    return this.#waiting.length;
  }

  /** Steps that this browser kept when it, or the server, was ended, and that follow those of the server. @param {Step[]} known @returns {Step[]} */
  kept(known) {
    const text = localStorage.getItem(this.#name);
    if (!text) return [];
    const { after: from, steps } = JSON.parse(text);
    const there = known.slice(from).map((step) => JSON.stringify(step));
    const ours = steps.map((/** @type {Step} */ step) => JSON.stringify(step));
    const same = from <= known.length && there.every((step, at) => at >= ours.length || sorted(step) === sorted(ours[at]));
    return same ? steps.slice(there.length) : [];
  }

  /** @param {Step} step */
  send(step) {
    this.#waiting.push(step);
    this.#keep();
    this.#busy ??= this.#pump().finally(() => (this.#busy = null));
  }

  /** Until all is on disk; false where it cannot be, or not soon. */
  async settled() {
    await Promise.race([this.#busy, new Promise((go) => setTimeout(go, PATIENCE))]);
    return this.#waiting.length === 0;
  }

  async #pump() {
    for (let pause = 500; this.#waiting.length; ) {
      try {
        const answer = await ask(this.#address, { after: this.#count, step: this.#waiting[0] });
        this.#count = answer.steps;
        this.#waiting.shift();
        this.#keep();
        this.#tell({ measures: answer.measures, waiting: this.#waiting.length });
        pause = 500;
      } catch (error) {
        this.#tell({ waiting: this.#waiting.length, trouble: /** @type {Error} */ (error) });
        if (!(error instanceof TypeError)) return; // refused, and would be again; else the server is away
        await new Promise((go) => setTimeout(go, pause));
        pause = Math.min(2 * pause, LONGEST_WAIT);
      }
    }
  }

  #keep() {
    if (this.#waiting.length) localStorage.setItem(this.#name, JSON.stringify({ after: this.#count, steps: this.#waiting }));
    else localStorage.removeItem(this.#name);
  }
}

/** JSON whose keys are in order, to compare what two programs wrote. @param {string} text */
function sorted(text) {
  const step = JSON.parse(text);
  return JSON.stringify(Object.fromEntries(Object.entries(step).sort()));
}

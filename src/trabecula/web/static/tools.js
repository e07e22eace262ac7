/**
 * The tools of the annotation screen. Each takes places on the film and makes steps; none knows of the page.
 *
 * @typedef {import("./viewer.js").FilmView} FilmView
 * @typedef {import("./viewer.js").Place} Place
 * @typedef {import("./viewer.js").Tool} Tool
 * @typedef {import("./drawing.js").Drawn} Drawn
 * @typedef {import("./drawing.js").Pair} Pair
 * @typedef {import("./drawing.js").Step} Step
 * @typedef {{outline: Pair[], measures: any}} Snapped
 * @typedef {{view: FilmView, now: () => Drawn, act: (step: Step) => void, accept: () => void, radius: () => number,
 *   snap: (points: Pair[]) => Promise<Snapped | null>, measured: (measures: any) => void}} Desk
 * @typedef {Tool & {name: string, paint?: (pen: CanvasRenderingContext2D) => void, drawn?: () => Drawn | null,
 *   held?: () => number, close?: () => boolean, cancel: () => boolean, leave: () => void}} DrawingTool
 *   `leave` forgets what is under way; `cancel` takes back what is begun, and says whether anything was
 */
import { line, trace } from "/static/overlay.js";
import { wire } from "/static/livewire.js";

export const POINTS = 6;
const NEAR = 9; // CSS pixels: as far a place is that one meant to take hold of
const SOFT = 0.05; // of an outline's length: how far what is dragged takes its neighbours along

/** @param {Place} at @returns {Pair} */
const pair = ({ x, y }) => [Math.round(100 * x) / 100, Math.round(100 * y) / 100];

/** @param {FilmView} view @param {Pair[]} places @param {Place} at */
function nearest(view, places, at) {
  let found = -1, least = NEAR / view.scale;
  places.forEach(([x, y], number) => {
    const far = Math.hypot(x - at.x, y - at.y);
    if (far <= least) [found, least] = [number, far];
  });
  return found;
}

/** Six clicks, then corrections: points and outline can be dragged, by the mouse or by Enter, arrows, Enter. @param {Desk} desk @returns {DrawingTool} */
export function sixPoints(desk) {
  const { view } = desk;
  let shown = /** @type {Drawn | null} */ (null), held = -1, drag = /** @type {((at: Place) => void) | null} */ (null);
  let tool = "", asking = false, again = false;

  /** @param {Pair[]} points @param {string} kind */
  async function place(points, kind) {
    const before = desk.now();
    shown = { ...before, points, ...(kind === "six" ? { outline: [], closed: false } : {}) };
    view.redraw();
    const found = await desk.snap(points);
    shown = null;
    if (found) desk.act({ kind: "shape", tool: kind, points, outline: found.outline, closed: true });
    view.redraw();
  }

  /** The outline that follows a point under way; asked for again when the last answer is there. */
  async function follow() {
    if (asking) return void (again = true);
    asking = true;
    while (drag && shown && tool === "move") {
      again = false;
      const found = await desk.snap(shown.points);
      if (found && drag && shown) {
        shown = { ...shown, outline: found.outline };
        desk.measured(found.measures);
        view.redraw();
      }
      if (!again) break;
    }
    asking = false;
  }

  /** @param {number} number */
  function dragPoint(number) {
    [tool, held] = ["move", number];
    drag = (at) => {
      const now = shown ?? desk.now();
      shown = { ...now, points: now.points.map((one, other) => (other === number ? pair(at) : one)) };
      if (now.points.length === POINTS) follow();
    };
  }

  /** @param {number} number @param {Place} from */
  function dragOutline(number, from) {
    const before = desk.now(), { outline } = before;
    tool = "drag";
    const weights = outline.map((_, other) => {
      const apart = Math.abs(other - number), steps = Math.min(apart, outline.length - apart);
      return Math.exp(-0.5 * (steps / (SOFT * outline.length)) ** 2);
    });
    drag = (at) => {
      const dx = at.x - from.x, dy = at.y - from.y;
      shown = { ...before, outline: outline.map(([x, y], other) => pair({ x: x + weights[other] * dx, y: y + weights[other] * dy })) };
    };
  }

  function drop() {
    const made = shown;
    [drag, held] = [null, -1];
    shown = null;
    if (!made) return;
    const whole = made.points.length === POINTS;
    if (tool === "move" && whole) place(made.points, "move");
    else desk.act({ kind: "shape", tool: whole || made.closed ? tool : "six", points: made.points, outline: made.outline, closed: made.closed });
  }

  return {
    name: "six",
    drawn: () => shown,
    held: () => held,
    down(at, event) {
      const now = desk.now(), byKey = event instanceof KeyboardEvent;
      if (drag) return byKey ? drop() : undefined;
      if (shown) return; // the answer to the sixth click is under way
      const point = nearest(view, now.points, at);
      const on = now.closed && point < 0 ? nearest(view, now.outline, at) : -1;
      if (point >= 0) dragPoint(point);
      else if (on >= 0) dragOutline(on, at);
      else if (now.points.length === POINTS) {
        if (!now.closed) place(now.points, "six"); // the last answer was lost
        else if (byKey) desk.accept();
      } else {
        const points = [...now.points, pair(at)];
        if (points.length === POINTS) place(points, "six");
        else desk.act({ kind: "shape", tool: "six", points, outline: [], closed: false });
      }
    },
    move(at) {
      drag?.(at);
      view.redraw();
    },
    up(_, event) {
      if (drag && !(event instanceof KeyboardEvent)) drop();
      view.redraw();
    },
    hover(at) {
      if (view.cursor && drag) drag(at);
      view.redraw();
    },
    cancel() {
      const under = drag !== null;
      this.leave();
      return under;
    },
    leave() {
      [drag, shown, held] = [null, null, -1];
      view.redraw();
    },
  };
}

/** Corners one after the other; along edges where `wired`. @param {Desk} desk @param {boolean} wired @returns {DrawingTool} */
export function corners(desk, wired) {
  const { view } = desk, name = wired ? "wire" : "polygon";
  let over = /** @type {Place | null} */ (null);

  /** @param {Pair[]} outline @param {Place} at @returns {Pair[]} */
  const onwards = (outline, at) => {
    const last = outline[outline.length - 1];
    if (!last || !wired || !view.film) return [...outline, pair(at)];
    return [...outline, ...wire(view.film, { x: last[0], y: last[1] }, at).map(([x, y]) => pair({ x, y }))];
  };
  const open = () => {
    const { outline, closed } = desk.now();
    return closed ? [] : outline;
  };
  const close = () => {
    const outline = open();
    if (outline.length < 3) return false;
    const whole = wired ? onwards(outline, { x: outline[0][0], y: outline[0][1] }).slice(0, -1) : outline;
    desk.act({ kind: "shape", tool: name, points: [], outline: whole, closed: true });
    over = null;
    return true;
  };
  return {
    name,
    close,
    down(at) {
      const outline = open(), ends = outline.length > 2 ? [outline[0], outline[outline.length - 1]] : [];
      if (nearest(view, ends, at) >= 0 && close()) return; // the first corner again, or the last: a double click
      desk.act({ kind: "shape", tool: name, points: [], outline: onwards(outline, at), closed: false });
    },
    hover(at) {
      over = at;
      view.redraw();
    },
    paint(pen) {
      const outline = open();
      for (const [x, y] of outline.slice(0, 1)) {
        const at = view.toScreen({ x, y });
        pen.beginPath();
        pen.arc(at.x, at.y, 4.5, 0, 2 * Math.PI);
        line(pen, "#fff34f");
      }
      if (!over || !outline.length) return;
      trace(pen, view, onwards(outline.slice(-1), over), false);
      pen.setLineDash([5, 4]);
      line(pen, "#fff34f");
      pen.setLineDash([]);
    },
    cancel() {
      const under = open().length > 0;
      this.leave();
      if (under) desk.act({ kind: "shape", tool: "clear", points: [], outline: [], closed: false });
      return under;
    },
    leave() {
      over = null;
      view.redraw();
    },
  };
}

/** A disc that adds or takes away. @param {Desk} desk @param {boolean} adds @returns {DrawingTool} */
export function brush(desk, adds) {
  const { view } = desk, name = adds ? "brush" : "eraser";
  let path = /** @type {Pair[]} */ ([]), over = /** @type {Place | null} */ (null);
  return {
    name,
    drawn() {
      const now = desk.now();
      return path.length ? { ...now, strokes: [...now.strokes, { radius: desk.radius(), path, adds }] } : null;
    },
    down(at) {
      path = [pair(at)];
      view.redraw();
    },
    move(at) {
      over = at;
      const [x, y] = path[path.length - 1] ?? [NaN, NaN];
      if (Math.hypot(at.x - x, at.y - y) * view.scale >= 1) path.push(pair(at));
      view.redraw();
    },
    up() {
      if (path.length) desk.act({ kind: "stroke", tool: name, radius: desk.radius(), path });
      path = [];
      view.redraw();
    },
    hover(at) {
      over = at;
      view.redraw();
    },
    cancel() {
      const under = path.length > 0;
      this.leave();
      return under;
    },
    leave() {
      [path, over] = [[], null];
      view.redraw();
    },
    paint(pen) {
      if (!over) return;
      const at = view.toScreen(over);
      pen.beginPath();
      pen.arc(at.x, at.y, Math.max(desk.radius() * view.scale, 1), 0, 2 * Math.PI);
      line(pen, adds ? "#fff34f" : "#ff8a8a");
    },
  };
}

/**
 * The path from one place to another that keeps to an edge of the film (Mortensen and Barrett 1995,
 * doi:10.1145/218380.218442): Dijkstra's shortest path, where a step along a steep change of grey costs least.
 *
 * @typedef {import("./viewer.js").Film} Film
 * @typedef {import("./viewer.js").Place} Place
 */

const NODES = 160; // of the longer side of the part that is searched: finer than this no edge is followed
const MARGIN = 0.6; // of the distance, beyond the two places
const STEPS = [[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]];
const FLAT = 0.06; // cost of a step along the steepest edge; where nothing changes it costs 1

/** @param {Film} film @param {Place} from @param {Place} to @returns {[number, number][]} places after the first, the last is `to` */
export function wire(film, from, to) {
  const part = partBetween(film, from, to);
  const cost = costs(film, part);
  const path = shortest(cost, part.wide, part.tall, nodeOf(part, from), nodeOf(part, to));
  const places = path.map((node) => [part.x + (node % part.wide) * part.step, part.y + Math.floor(node / part.wide) * part.step]);
  return /** @type {[number, number][]} */ ([...places.slice(1, -1), [to.x, to.y]]);
}

/** @param {Film} film @param {Place} from @param {Place} to */
function partBetween(film, from, to) {
  const far = Math.hypot(to.x - from.x, to.y - from.y), margin = Math.max(MARGIN * far, 8);
  const x0 = Math.max(Math.floor(Math.min(from.x, to.x) - margin), 0), y0 = Math.max(Math.floor(Math.min(from.y, to.y) - margin), 0);
  const x1 = Math.min(Math.ceil(Math.max(from.x, to.x) + margin), film.columns - 1);
  const y1 = Math.min(Math.ceil(Math.max(from.y, to.y) + margin), film.rows - 1);
  const step = Math.max(1, Math.ceil(Math.max(x1 - x0, y1 - y0) / NODES));
  return { x: x0, y: y0, step, wide: Math.floor((x1 - x0) / step) + 1, tall: Math.floor((y1 - y0) / step) + 1 };
}

/** @param {{x: number, y: number, step: number, wide: number, tall: number}} part @param {Place} at */
function nodeOf({ x, y, step, wide, tall }, at) {
  const column = Math.min(Math.max(Math.round((at.x - x) / step), 0), wide - 1);
  return Math.min(Math.max(Math.round((at.y - y) / step), 0), tall - 1) * wide + column;
}

/** @param {Film} film @param {{x: number, y: number, step: number, wide: number, tall: number}} part */
function costs({ pixels, columns, rows }, { x, y, step, wide, tall }) {
  const reach = Math.max(step, 2); // over which a change of grey is taken, so that noise is no edge
  const grey = (/** @type {number} */ column, /** @type {number} */ row) =>
    pixels[Math.min(Math.max(row, 0), rows - 1) * columns + Math.min(Math.max(column, 0), columns - 1)];
  const slopes = new Float32Array(wide * tall);
  let steepest = 1e-9;
  for (let j = 0, at = 0; j < tall; j++) {
    for (let i = 0; i < wide; i++, at++) {
      const column = x + i * step, row = y + j * step;
      let across = 0, down = 0;
      for (const off of [-reach, 0, reach]) { // Sobel's two masks
        const weight = off ? 1 : 2;
        across += weight * (grey(column + reach, row + off) - grey(column - reach, row + off));
        down += weight * (grey(column + off, row + reach) - grey(column + off, row - reach));
      }
      slopes[at] = Math.hypot(across, down);
      if (slopes[at] > steepest) steepest = slopes[at];
    }
  }
  return slopes.map((slope) => 1 - (1 - FLAT) * Math.min(slope / (0.7 * steepest), 1));
}

/** @param {Float32Array} cost @param {number} wide @param {number} tall @param {number} from @param {number} to */
function shortest(cost, wide, tall, from, to) {
  const far = new Float64Array(cost.length).fill(Infinity), before = new Int32Array(cost.length).fill(-1);
  const heap = new Heap();
  far[from] = 0;
  heap.push(0, from);
  for (let next = heap.pop(); next; next = heap.pop()) {
    const [sum, node] = next;
    if (node === to) break;
    if (sum > far[node]) continue;
    const column = node % wide, row = Math.floor(node / wide);
    for (const [dx, dy] of STEPS) {
      if (column + dx < 0 || column + dx >= wide || row + dy < 0 || row + dy >= tall) continue;
      const other = node + dy * wide + dx;
      const reached = sum + cost[other] * (dx && dy ? Math.SQRT2 : 1);
      if (reached < far[other]) {
        far[other] = reached;
        before[other] = node;
        heap.push(reached, other);
      }
    }
  }
  const path = [to];
  while (path[path.length - 1] !== from && before[path[path.length - 1]] >= 0) path.push(before[path[path.length - 1]]);
  return path.reverse();
}

/** Pairs of a number and a node; the least number comes out first. */
class Heap {
  #all = /** @type {[number, number][]} */ ([]);

  /** @param {number} key @param {number} node */
  push(key, node) {
    const all = this.#all;
    let at = all.push([key, node]) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (all[up][0] <= key) break;
      all[at] = all[up];
      at = up;
    }
    all[at] = [key, node];
  }

  pop() {
    const all = this.#all, least = all[0], last = all.pop();
    if (!all.length || !last) return least;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= all.length) break;
      if (down + 1 < all.length && all[down + 1][0] < all[down][0]) down++;
      if (all[down][0] >= last[0]) break;
      all[at] = all[down];
      at = down;
    }
    all[at] = last;
    return least;
  }
}

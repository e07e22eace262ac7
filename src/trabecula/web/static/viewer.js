/**
 * A 16-bit film on a canvas: window and level, zoom, pan, flip, a crosshair for the keyboard. Nothing is drawn but what is seen.
 *
 * A place on the film is {x, y} in pixels, whole numbers at pixel centres, never changed by how the film is shown.
 *
 * @typedef {{x: number, y: number}} Place
 * @typedef {{key: string, name: string, level: number, width: number}} Preset the key that chooses it, 1 to 5
 * @typedef {{rows: number, columns: number, slope: number, intercept: number, spacing_mm: [number, number] | null,
 *   spacing_source: string, unit: string, windows: Preset[], pixels: Uint16Array}} Film
 * @typedef {{down?: (at: Place, event: Event) => void, move?: (at: Place, event: Event) => void,
 *   up?: (at: Place, event: Event) => void, hover?: (at: Place, event: Event) => void}} Tool
 */

const GREYS = 65536;
const TRAVEL = 400; // pixels of mouse over which the window runs through the greys of the film
const STEP = 1.25; // of a zoom
const SHARPEST = 1.5; // pixels of the film at most that one of the screen stands for; beyond it a halved film is drawn
const CLOSEST = 40; // pixels of the screen for one of the film

/**
 * Fetch a film: greys as little-endian uint16, the rest as JSON in the header X-Film.
 * @param {string} address
 * @param {RequestInit} [asked] a film that is sent along, to be read
 * @returns {Promise<Film>}
 */
export async function fetchFilm(address, asked) {
  const answer = await fetch(address, asked);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message ?? answer.statusText);
  const about = JSON.parse(answer.headers.get("X-Film") ?? "null");
  const bytes = await answer.arrayBuffer();
  if (!about || bytes.byteLength !== 2 * about.rows * about.columns) throw new Error("The film came incomplete.");
  return { ...about, pixels: greys(bytes) };
}


/** Shows one film; fires "view" (zoom, pan, flip), "window" and "cursor" when these have changed. */
export class FilmView extends EventTarget {
  /** @type {Film | null} */ film = null;
  /** Takes the left button and Enter. @type {Tool} */ tool = {};
  /** Drawn over the film, in CSS pixels. @type {((pen: CanvasRenderingContext2D, view: FilmView) => void)[]} */ layers = [];
  /** The crosshair, null while the mouse is used. @type {Place | null} */ cursor = null;
  /** What key 4 windows, x0, y0, x1, y1 on the film. @type {number[] | null} */ box = null;
  level = 0;
  width = 1;
  inverted = false;
  flipped = { across: false, down: false };
  scale = 1; // CSS pixels for one of the film
  centre = { x: 0, y: 0 };
  /** Milliseconds of the last drawing. */ spent = 0;

  #canvas;
  #pen;
  #words;
  #lut = new Uint32Array(GREYS);
  #halved = /** @type {{rows: number, columns: number, pixels: Uint16Array}[]} */ ([]);
  #part = document.createElement("canvas");
  #stale = true; // the greys drawn in #part
  #asked = 0;
  #held = false; // W is down
  #drag = /** @type {{kind: string, x: number, y: number} | null} */ (null);
  #fitted = true;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{keys?: EventTarget, flipped?: string}} [options] where keys are listened to; the words over a flipped film
   */
  constructor(canvas, { keys = canvas, flipped = "flipped view" } = {}) {
    super();
    this.#canvas = canvas;
    this.#words = flipped;
    this.#pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    canvas.tabIndex = 0;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#up(/** @type {PointerEvent} */ (event)));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    keys.addEventListener("keydown", (event) => this.#key(/** @type {KeyboardEvent} */ (event)));
    keys.addEventListener("keyup", (event) => this.#keyUp(/** @type {KeyboardEvent} */ (event)));
    window.addEventListener("blur", () => (this.#held = false));
    new ResizeObserver(() => this.#resized()).observe(canvas);
  }

  /** @param {Film} film */
  show(film) {
    this.film = film;
    this.#halved = halvings(film);
    this.flipped = { across: false, down: false };
    this.inverted = false;
    this.cursor = null;
    this.box = null;
    this.#resized();
    this.reset();
  }

  /** Window, grey direction, flips and zoom as at first. */
  reset() {
    this.inverted = false;
    this.flipped = { across: false, down: false };
    this.fit();
    this.preset();
  }

  /** The whole film in the canvas. */
  fit() {
    if (!this.film) return;
    const { clientWidth, clientHeight } = this.#canvas;
    this.scale = Math.max(Math.min(clientWidth / this.film.columns, clientHeight / this.film.rows), 1e-3);
    this.centre = { x: (this.film.columns - 1) / 2, y: (this.film.rows - 1) / 2 };
    this.#fitted = true;
    this.#changed("view");
  }

  /**
   * @param {number} level of the middle grey, in the film's unit
   * @param {number} width from black to white
   */
  setWindow(level, width) {
    this.level = level;
    this.width = Math.max(width, this.film ? this.film.slope : 1e-9);
    this.#greysChanged();
    this.#changed("window");
  }

  /** One of the film's windows by its key, without one its first; 4 is the greys of the box. @param {string} [key] */
  preset(key) {
    const found = this.film?.windows.find((one) => key === undefined || one.key === key);
    if (found) this.setWindow(found.level, found.width);
    else if (key === "4" && this.box) this.#windowOf(this.box);
  }

  /** From the least to the largest grey within a box of the film. @param {number[]} box x0, y0, x1, y1 */
  #windowOf([x0, y0, x1, y1]) {
    if (!this.film) return;
    const { pixels, rows, columns, slope, intercept } = this.film;
    let low = GREYS, high = 0;
    for (let y = Math.max(Math.floor(y0), 0); y <= Math.min(y1, rows - 1); y++) {
      for (let x = Math.max(Math.floor(x0), 0); x <= Math.min(x1, columns - 1); x++) {
        const grey = pixels[y * columns + x];
        if (grey < low) low = grey;
        if (grey > high) high = grey;
      }
    }
    if (high > low) this.setWindow(intercept + (slope * (low + high)) / 2, slope * (high - low));
  }

  invert() {
    this.inverted = !this.inverted;
    this.#greysChanged();
    this.#changed("window");
  }

  /** For the eye alone. @param {"across" | "down"} way */
  flip(way) {
    this.flipped[way] = !this.flipped[way];
    this.#changed("view");
  }

  /**
   * @param {number} factor above 1: closer
   * @param {Place} [about] stays where it is on the screen
   */
  zoom(factor, about = this.cursor ?? this.centre) {
    const before = this.toScreen(about);
    this.scale = Math.min(Math.max(this.scale * factor, 0.01), CLOSEST);
    const after = this.toScreen(about);
    this.#pan(before.x - after.x, before.y - after.y);
  }

  /** Bring a place to the middle. @param {Place} at @param {number} [scale] */
  lookAt(at, scale = this.scale) {
    this.centre = { x: at.x, y: at.y };
    this.scale = Math.min(scale, CLOSEST);
    this.#fitted = false;
    this.#changed("view");
  }

  /** @param {Place} at @returns {Place} in CSS pixels of the canvas */
  toScreen({ x, y }) {
    const { across, down } = this.#signs();
    return {
      x: (x - this.centre.x) * this.scale * across + this.#canvas.clientWidth / 2,
      y: (y - this.centre.y) * this.scale * down + this.#canvas.clientHeight / 2,
    };
  }

  /** @param {Place} at in CSS pixels of the canvas @returns {Place} on the film */
  toFilm({ x, y }) {
    const { across, down } = this.#signs();
    return {
      x: ((x - this.#canvas.clientWidth / 2) * across) / this.scale + this.centre.x,
      y: ((y - this.#canvas.clientHeight / 2) * down) / this.scale + this.centre.y,
    };
  }

  /** The grey at a place in the film's unit, null beyond the film. @param {Place} at */
  valueAt({ x, y }) {
    if (!this.film) return null;
    const column = Math.round(x), row = Math.round(y);
    if (column < 0 || row < 0 || column >= this.film.columns || row >= this.film.rows) return null;
    return this.film.intercept + this.film.slope * this.film.pixels[row * this.film.columns + column];
  }

  /** Until an arrow key moves it again. */
  hideCursor() {
    this.#setCursor(null);
  }

  /** Draw with the next frame. */
  redraw() {
    this.#asked ||= requestAnimationFrame(() => this.draw());
  }

  /** Draw now. */
  draw() {
    cancelAnimationFrame(this.#asked);
    this.#asked = 0;
    const start = performance.now();
    const pen = this.#pen, dots = window.devicePixelRatio || 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (this.film) this.#drawFilm(pen, dots);
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    for (const layer of this.layers) layer(pen, this);
    if (this.cursor) this.#drawCursor(pen);
    if (this.flipped.across || this.flipped.down) this.#drawTag(pen);
    this.spent = performance.now() - start;
  }

  /** @param {CanvasRenderingContext2D} pen @param {number} dots */
  #drawFilm(pen, dots) {
    const coarse = 1 / (this.scale * dots * SHARPEST);
    const at = Math.min(Math.max(Math.ceil(Math.log2(coarse)), 0), this.#halved.length - 1);
    const { rows, columns, pixels } = this.#halved[at];
    const size = 2 ** at;
    const corners = [this.toFilm({ x: 0, y: 0 }), this.toFilm({ x: this.#canvas.clientWidth, y: this.#canvas.clientHeight })];
    const low = (/** @type {"x" | "y"} */ axis) => Math.max(Math.floor((Math.min(corners[0][axis], corners[1][axis]) + 0.5) / size) - 1, 0);
    const high = (/** @type {"x" | "y"} */ axis, /** @type {number} */ end) =>
      Math.min(Math.ceil((Math.max(corners[0][axis], corners[1][axis]) + 0.5) / size) + 1, end);
    const x0 = low("x"), y0 = low("y"), wide = high("x", columns) - x0, tall = high("y", rows) - y0;
    if (wide <= 0 || tall <= 0) return;
    if (this.#stale) this.#fillLut();
    const part = this.#partOf(wide, tall), lut = this.#lut;
    const out = new Uint32Array(part.data.buffer);
    for (let y = 0, to = 0; y < tall; y++) {
      const from = (y0 + y) * columns + x0;
      for (let x = 0; x < wide; x++) out[to++] = lut[pixels[from + x]];
    }
    /** @type {CanvasRenderingContext2D} */ (this.#part.getContext("2d")).putImageData(part, 0, 0);
    const { across, down } = this.#signs(), grown = this.scale * dots * size;
    const start = this.toScreen({ x: x0 * size - 0.5, y: y0 * size - 0.5 });
    pen.setTransform(grown * across, 0, 0, grown * down, start.x * dots, start.y * dots);
    pen.imageSmoothingEnabled = this.scale * dots < 6; // close enough to count pixels, they have edges
    pen.drawImage(this.#part, 0, 0, wide, tall, 0, 0, wide, tall);
  }

  #partImage = /** @type {ImageData | null} */ (null);

  /** @param {number} wide @param {number} tall */
  #partOf(wide, tall) {
    if (this.#partImage?.width !== wide || this.#partImage.height !== tall) {
      this.#part.width = wide;
      this.#part.height = tall;
      this.#partImage = new ImageData(wide, tall);
    }
    return this.#partImage;
  }

  #fillLut() {
    const { slope, intercept } = /** @type {Film} */ (this.film);
    const black = this.level - this.width / 2;
    for (let grey = 0; grey < GREYS; grey++) {
      const share = Math.min(Math.max((intercept + slope * grey - black) / this.width, 0), 1);
      const shown = Math.round(255 * (this.inverted ? 1 - share : share));
      this.#lut[grey] = 0xff000000 | (shown << 16) | (shown << 8) | shown;
    }
    this.#stale = false;
  }

  /** @param {CanvasRenderingContext2D} pen */
  #drawCursor(pen) {
    const { x, y } = this.toScreen(/** @type {Place} */ (this.cursor));
    for (const [colour, width] of /** @type {[string, number][]} */ ([["#000", 3], ["#fff", 1]])) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(x + 4 * dx, y + 4 * dy);
        pen.lineTo(x + 18 * dx, y + 18 * dy);
      }
      pen.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} pen */
  #drawTag(pen) {
    pen.font = "600 14px system-ui, sans-serif";
    const wide = pen.measureText(this.#words).width;
    pen.fillStyle = "#b00020";
    pen.fillRect(8, 8, wide + 16, 26);
    pen.fillStyle = "#fff";
    pen.fillText(this.#words, 16, 26);
  }

  #signs() {
    return { across: this.flipped.across ? -1 : 1, down: this.flipped.down ? -1 : 1 };
  }

  /** @param {number} dx @param {number} dy in CSS pixels */
  #pan(dx, dy) {
    const { across, down } = this.#signs();
    this.centre = { x: this.centre.x - (dx * across) / this.scale, y: this.centre.y - (dy * down) / this.scale };
    this.#fitted = false;
    this.#changed("view");
  }

  /** @param {number} dx @param {number} dy in CSS pixels */
  #dragWindow(dx, dy) {
    const whole = this.#greyRange();
    this.setWindow(this.level + (dy * whole) / TRAVEL, this.width + (dx * whole) / TRAVEL);
  }

  #greyRange() {
    const { windows, slope } = /** @type {Film} */ (this.film);
    return windows.length ? Math.max(...windows.map((one) => one.width)) : slope * GREYS;
  }

  /** @param {PointerEvent | WheelEvent} event @returns {Place} */
  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    return this.toFilm({ x: event.clientX - box.left, y: event.clientY - box.top });
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (!this.film || this.#drag) return;
    this.#canvas.focus({ preventScroll: true });
    this.#canvas.setPointerCapture(event.pointerId);
    const kinds = ["tool", "pan", "window"];
    let kind = kinds[event.button] ?? "tool";
    if (event.button === 0 && this.#held) kind = "window";
    else if (event.button === 0 && event.shiftKey) kind = "pan";
    if (event.button === 2 && event.timeStamp - this.#lastRight < 350) this.preset();
    if (event.button === 2) this.#lastRight = event.timeStamp;
    if (event.button === 1) event.preventDefault();
    this.#drag = { kind, x: event.clientX, y: event.clientY };
    if (kind === "tool") {
      if (this.cursor) this.#setCursor(null);
      this.tool.down?.(this.#at(event), event);
    }
  }

  #lastRight = -Infinity;

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.film) return;
    if (!this.#drag) return this.tool.hover?.(this.#at(event), event);
    const dx = event.clientX - this.#drag.x, dy = event.clientY - this.#drag.y;
    this.#drag.x = event.clientX;
    this.#drag.y = event.clientY;
    if (this.#drag.kind === "window") this.#dragWindow(dx, dy);
    else if (this.#drag.kind === "pan") this.#pan(dx, dy);
    else {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) this.tool.move?.(this.#at(each), event);
    }
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const kind = this.#drag?.kind;
    this.#drag = null;
    if (kind === "tool" && this.film) this.tool.up?.(this.#at(event), event);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!this.film || event.defaultPrevented || event.shiftKey) return;
    event.preventDefault();
    this.zoom(STEP ** (-event.deltaY / 100), this.#at(event));
  }

  /** @param {Place | null} at */
  #setCursor(at) {
    this.cursor = at;
    this.#changed("cursor");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.film || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || takesKeys(event)) return;
    const arrow = ARROWS[event.key];
    if (event.key === "w" || event.key === "W") this.#held = true;
    else if (arrow) this.#arrow(arrow, event.shiftKey ? 10 : 1);
    else if (event.key === "Enter" && this.cursor) {
      this.tool.down?.(this.cursor, event);
      this.tool.up?.(this.cursor, event);
    } else if (KEYS[event.key]) KEYS[event.key](this);
    else return;
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #keyUp(event) {
    if (event.key === "w" || event.key === "W") this.#held = false;
  }

  /** Arrow keys move the crosshair, or with W held the window. @param {number[]} way @param {number} far */
  #arrow([dx, dy], far) {
    if (this.#held) return this.#dragWindow(8 * far * dx, 8 * far * dy);
    const { across, down } = this.#signs(), film = /** @type {Film} */ (this.film);
    const stride = Math.max(1, Math.round(2 / this.scale)) * far;
    const from = this.cursor ?? { x: Math.round(this.centre.x), y: Math.round(this.centre.y) };
    const at = {
      x: Math.min(Math.max(from.x + dx * across * stride, 0), film.columns - 1),
      y: Math.min(Math.max(from.y + dy * down * stride, 0), film.rows - 1),
    };
    this.#setCursor(at);
    this.#keepSeen(at);
    this.tool.hover?.(at, new Event("cursor"));
  }

  /** Pan where the crosshair would leave the canvas. @param {Place} at */
  #keepSeen(at) {
    const { x, y } = this.toScreen(at), edge = 40;
    const over = (/** @type {number} */ place, /** @type {number} */ size) =>
      place < edge ? edge - place : place > size - edge ? size - edge - place : 0;
    const dx = over(x, this.#canvas.clientWidth), dy = over(y, this.#canvas.clientHeight);
    if (dx || dy) this.#pan(dx, dy);
  }

  #greysChanged() {
    this.#stale = true;
    this.redraw();
  }

  /** @param {string} name */
  #changed(name) {
    this.redraw();
    this.dispatchEvent(new Event(name));
  }

  #resized() {
    const dots = window.devicePixelRatio || 1;
    this.#canvas.width = Math.max(Math.round(this.#canvas.clientWidth * dots), 1);
    this.#canvas.height = Math.max(Math.round(this.#canvas.clientHeight * dots), 1);
    if (this.#fitted) this.fit();
    this.draw(); // a canvas that changed its size is empty until drawn
  }
}

/** @type {Record<string, number[]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @type {Record<string, (view: FilmView) => void>} */
const KEYS = {
  i: (view) => view.invert(),
  " ": (view) => view.reset(),
  "=": (view) => view.fit(),
  "+": (view) => view.zoom(STEP),
  "-": (view) => view.zoom(1 / STEP),
  h: (view) => view.flip("across"),
  v: (view) => view.flip("down"),
};
for (const key of "12345") KEYS[key] = (view) => view.preset(key);

/** Whether the element in focus has a use of its own for a key. @param {KeyboardEvent} event */
export function takesKeys(event) {
  const target = event.target instanceof Element ? event.target : null;
  if (!target) return false;
  if (target.closest("input, textarea, select, dialog, [contenteditable]")) return true;
  return ["Enter", " "].includes(event.key) && target.closest("button, a, summary") !== null;
}

/** The film, and again and again at half its size, each pixel the mean of four. @param {Film} film */
function halvings({ rows, columns, pixels }) {
  const all = [{ rows, columns, pixels }];
  while (rows > 512 && columns > 512) {
    const half = { rows: rows >> 1, columns: columns >> 1 };
    const out = new Uint16Array(half.rows * half.columns);
    for (let y = 0, to = 0; y < half.rows; y++) {
      for (let x = 0, from = 2 * y * columns; x < half.columns; x++, from += 2) {
        out[to++] = (pixels[from] + pixels[from + 1] + pixels[from + columns] + pixels[from + columns + 1] + 2) >> 2;
      }
    }
    ({ rows, columns } = half);
    pixels = out;
    all.push({ rows, columns, pixels });
  }
  return all;
}

/** Little-endian bytes as numbers, whatever the computer's own order. @param {ArrayBuffer} bytes */
function greys(bytes) {
  if (new Uint8Array(new Uint16Array([1]).buffer)[0] === 1) return new Uint16Array(bytes);
  const data = new DataView(bytes);
  return Uint16Array.from({ length: bytes.byteLength / 2 }, (_, at) => data.getUint16(2 * at, true));
}

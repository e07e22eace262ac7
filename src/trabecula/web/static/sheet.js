// An answer on one sheet of A4, to keep as PNG or to print: the film as it is shown, the heat map, what the model says.
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

/** @typedef {{cells: string[], size: number, ink?: string, bold?: boolean, above?: number}} Line cells stand in columns */

const [WIDTH, HEIGHT, MARGIN] = [1654, 2339, 90]; // 200 dots an inch
const INSIDE = WIDTH - 2 * MARGIN;
const [INK, SOFT, WARN] = ["#1c2127", "#59636e", "#7a3b00"];
const family = getComputedStyle(document.body).fontFamily;
const font = (/** @type {Line} */ { size, bold }) => `${bold ? "600 " : ""}${size}px ${family}`;
const said = (/** @type {ParentNode} */ place, /** @type {string} */ what) =>
  [...place.querySelectorAll(what)].map((one) => (one.textContent ?? "").trim());

/** The answer as it stands in the page, in the page's language. @returns {Line[]} */
function answer() {
  const rows = (/** @type {string} */ body, /** @type {number} */ size) =>
    [...$(body).children].map((row) => ({ cells: said(row, "td"), size, bold: row.className === "first" }));
  const [classes, drivers] = $("answer").querySelectorAll("table");
  return [
    ...($("heat").hidden ? [] : [{ cells: said($("heat"), "figcaption"), size: 20, ink: SOFT }]),
    { cells: [$("answer-title").textContent], size: 44, bold: true, above: 12 },
    { cells: said(classes, "th"), size: 24, ink: SOFT, above: 12 },
    ...rows("classes", 30),
    { cells: [$("set").textContent], size: 26, above: 12 },
    ...said($("warnings"), "p").map((text) => ({ cells: [text], size: 24, ink: WARN, above: 6 })),
    { cells: said(drivers.parentElement, "h3"), size: 26, bold: true, above: 18 },
    { cells: [$("scale").textContent], size: 22, ink: SOFT },
    ...rows("drivers", 22),
    { cells: [$("model").textContent], size: 20, ink: SOFT, above: 18 },
    { cells: [new Date().toLocaleString(document.documentElement.lang)], size: 20, ink: SOFT },
    { cells: said(document, "#answer > .warn").slice(0, 1), size: 26, ink: WARN, bold: true, above: 18 },
  ];
}

/** Break what stands alone in its line where it is too long. @param {CanvasRenderingContext2D} pen @param {Line} line @returns {Line[]} */
function broken(pen, line) {
  if (line.cells.length > 1) return [line];
  pen.font = font(line);
  const made = [""];
  for (const word of line.cells[0].split(/(?<=\s)|(?=[\u3400-\u9fff])/)) {
    if (pen.measureText(made[made.length - 1] + word).width > INSIDE && made[made.length - 1]) made.push("");
    made[made.length - 1] += word;
  }
  return made.map((text, at) => ({ ...line, cells: [text], above: at ? 0 : line.above }));
}

/** The part of the film's canvas that the film covers. @returns {HTMLCanvasElement} */
function film() {
  const canvas = $("film"), { width, height } = canvas;
  const inks = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
  const box = { left: width, top: height, right: 0, bottom: 0 };
  inks.forEach((ink, at) => {
    if (ink === inks[0]) return;
    const x = at % width, y = (at - x) / width;
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x + 1);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y + 1);
  });
  const made = document.createElement("canvas");
  made.width = Math.max(box.right - box.left, 1);
  made.height = Math.max(box.bottom - box.top, 1);
  made.getContext("2d")?.drawImage(canvas, -box.left, -box.top);
  return made;
}

/** Fit a picture into a box, its shape kept. @param {CanvasRenderingContext2D} pen @param {any} picture @param {number[]} box x, y, width, height */
function place(pen, picture, [x, y, width, height]) {
  const [w, h] = [picture.naturalWidth ?? picture.width, picture.naturalHeight ?? picture.height];
  const scale = Math.min(width / w, height / h);
  pen.drawImage(picture, x + (width - w * scale) / 2, y, w * scale, h * scale);
  return h * scale;
}

/** Words take what they need; the pictures get the rest of the sheet. */
function draw() {
  const sheet = /** @type {HTMLCanvasElement} */ ($("sheet"));
  [sheet.width, sheet.height] = [WIDTH, HEIGHT];
  const pen = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  const use = /** @type {Line} */ ({ cells: said(document, ".banner"), size: 26, ink: WARN, bold: true });
  const lines = answer().flatMap((line) => broken(pen, line));
  const room = HEIGHT - 2 * MARGIN - lines.reduce((sum, { size, above = 0 }) => sum + 1.4 * size + above, 1.4 * use.size + 60);
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, WIDTH, HEIGHT);
  pen.textBaseline = "top";
  let y = write(pen, use, MARGIN) + 20;
  const pictures = $("heat").hidden ? [film()] : [film(), $("heat-map")];
  const width = (INSIDE - 20 * (pictures.length - 1)) / pictures.length;
  y += Math.max(...pictures.map((one, at) => place(pen, one, [MARGIN + at * (width + 20), y, width, Math.max(room, 300)]))) + 30;
  for (const line of lines) y = write(pen, line, y + (line.above ?? 0));
  return sheet;
}

/** @param {CanvasRenderingContext2D} pen @param {Line} line @param {number} y @returns {number} below it */
function write(pen, line, y) {
  pen.font = font(line);
  pen.fillStyle = line.ink ?? INK;
  line.cells.forEach((text, at) => pen.fillText(text, MARGIN + (at ? 0.45 + 0.2 * (at - 1) : 0) * INSIDE, y));
  return y + 1.4 * line.size;
}

function save() {
  draw().toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(/** @type {Blob} */ (blob));
    link.download = "trabecula-answer.png"; // a film's own name may name the patient
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, "image/png");
}

$("save").addEventListener("click", save);
$("print").addEventListener("click", () => window.print());
addEventListener("beforeprint", () => $("answer").hidden || draw());

/**
 * A drawing over its film: outline, what is inside, points.
 *
 * @typedef {import("./viewer.js").FilmView} FilmView
 * @typedef {import("./drawing.js").Drawn} Drawn
 * @typedef {import("./drawing.js").Pair} Pair
 */

const sheet = document.createElement("canvas"); // strokes are laid upon one another here, then shown together
export const COLOURS = ["#ffb000", "#56b4e9"]; // of the first and the second reader; both hold on black and on white

/** @param {CanvasRenderingContext2D} pen @param {FilmView} view @param {Drawn} drawn @param {string} [colour] */
export function paintDrawing(pen, view, drawn, colour = COLOURS[0]) {
  if (drawn.strokes.length) paintInside(pen, view, drawn, colour);
  if (drawn.outline.length > 1) {
    trace(pen, view, drawn.outline, drawn.closed);
    if (drawn.closed && !drawn.strokes.length) {
      pen.fillStyle = colour;
      pen.globalAlpha = 0.14;
      pen.fill();
      pen.globalAlpha = 1;
    }
    line(pen, colour);
  }
}

/** Points with their numbers; `held` is drawn larger. @param {CanvasRenderingContext2D} pen @param {FilmView} view @param {Pair[]} points @param {number} [held] */
export function paintPoints(pen, view, points, held = -1) {
  pen.font = "600 12px system-ui, sans-serif";
  points.forEach(([x, y], number) => {
    const at = view.toScreen({ x, y });
    pen.beginPath();
    pen.arc(at.x, at.y, number === held ? 8 : 4.5, 0, 2 * Math.PI);
    line(pen, "#fff34f");
    pen.lineWidth = 3;
    pen.strokeStyle = "#000";
    pen.strokeText(String(number + 1), at.x + 8, at.y - 6);
    pen.fillStyle = "#fff34f";
    pen.fillText(String(number + 1), at.x + 8, at.y - 6);
  });
}

/** A path on the screen, not yet inked. @param {CanvasRenderingContext2D} pen @param {FilmView} view @param {Pair[]} places @param {boolean} closed */
export function trace(pen, view, places, closed) {
  pen.beginPath();
  for (const [x, y] of places) {
    const at = view.toScreen({ x, y });
    pen.lineTo(at.x, at.y);
  }
  if (closed) pen.closePath();
}

/** The path as a line that is seen on every grey. @param {CanvasRenderingContext2D} pen @param {string} colour */
export function line(pen, colour) {
  pen.lineJoin = "round";
  for (const [ink, width] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / .65)", 3.5], [colour, 1.6]])) {
    pen.strokeStyle = ink;
    pen.lineWidth = width;
    pen.stroke();
  }
}

/** @param {CanvasRenderingContext2D} pen @param {FilmView} view @param {Drawn} drawn @param {string} colour */
function paintInside(pen, view, drawn, colour) {
  sheet.width = pen.canvas.width;
  sheet.height = pen.canvas.height;
  const on = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  on.setTransform(pen.getTransform());
  on.fillStyle = on.strokeStyle = colour;
  on.lineCap = on.lineJoin = "round";
  if (drawn.closed) {
    trace(on, view, drawn.outline, true);
    on.fill();
  }
  for (const { radius, path, adds } of drawn.strokes) {
    on.globalCompositeOperation = adds ? "source-over" : "destination-out";
    on.lineWidth = 2 * radius * view.scale;
    trace(on, view, path.length > 1 ? path : [path[0], [path[0][0] + 1e-3, path[0][1]]], false);
    on.stroke();
  }
  on.globalCompositeOperation = "source-over";
  pen.save();
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.globalAlpha = 0.3;
  pen.drawImage(sheet, 0, 0);
  pen.restore();
}

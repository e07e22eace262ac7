// What every screen's script needs: the words of the chosen language, requests with their faults, a spoken line.

/** @type {Promise<Record<string, string>> | undefined} */
let known;

/** The words of the chosen language. @returns {Promise<Record<string, string>>} */
export function words() {
  known ??= fetch("/words.json").then((answer) => answer.json());
  return known;
}

/** Fill the numbers and names into a phrase. @param {string} phrase @param {Record<string, unknown>} values */
export function fill(phrase, values) {
  return phrase.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Say a line to everybody: on the screen and to a screen reader. @param {string} text @param {boolean} [bad] */
export function say(text, bad = false) {
  const line = document.getElementById("said");
  if (line) {
    line.textContent = text;
    line.classList.toggle("bad", bad);
  }
}

/**
 * Ask the server for JSON; what it refuses is thrown as an Error with its `faults`.
 * @param {string} address
 * @param {unknown} [content] sent as JSON by POST, where given
 * @returns {Promise<any>}
 */
export async function ask(address, content) {
  const asked = content === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content),
  };
  const answer = await fetch(address, asked);
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text };
  }
  if (!answer.ok) throw Object.assign(new Error(body.message ?? answer.statusText), { faults: body.faults ?? [] });
  return body;
}

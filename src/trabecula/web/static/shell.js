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

/** Show every fault of an error, or its message, in the page's own place for them. @param {any} error */
export async function showFaults(error) {
  const t = await words();
  const place = document.getElementById("faults");
  if (!place) return say(String(error?.message ?? error), true);
  const faults = error?.faults ?? [];
  place.replaceChildren(faults.length ? faultList(faults, t) : element("p", error.message, "warn"));
}

/**
 * The faults as a list: where, what was found, what was expected, what to do.
 * @param {{where: string, found: string, expected: string, action: string}[]} faults
 * @param {Record<string, string>} t
 */
export function faultList(faults, t) {
  const list = element("ul", "", "faults");
  for (const fault of faults) {
    const item = element("li", "");
    item.append(element("strong", fault.where), element("span", `${t.found}: ${fault.found}`));
    if (fault.expected) item.append(element("span", `${t.expected}: ${fault.expected}`));
    if (fault.action) item.append(element("span", fault.action));
    list.append(item);
  }
  return list;
}

/** An element with text, never markup. @param {string} name @param {string} text @param {string} [kind] */
export function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

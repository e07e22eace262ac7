// Films that the PACS sent: the list, what each is waiting for, and the button that sends an answer back.
import { ask, element, fill, say, showFaults, words } from "/static/shell.js";

/**
 * A film that came, and what was asked about it last and not accepted yet.
 * @typedef {{film: string, state: string, waiting: number, sent: number, trouble: string, PatientID: string, PatientName: string,
 *   StudyDate: string, AccessionNumber: string, Modality: string, BodyPartExamined: string, ViewPosition: string,
 *   question: {model: string, points: string, values: Record<string, string>, site: string} | null}} Came
 */

const PAUSE = 20_000; // milliseconds between two looks at the list
const SOON = 3_000; // until a result that was just accepted may have gone
const $ = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));

/** @param {{open: (came: Came) => void}} on */
export function receivedFilms(on) {
  let t = /** @type {Record<string, string>} */ ({});
  let opened = "";
  let drawn = "";
  let offered = /** @type {{film: string, key: string} | null} */ (null);

  async function refresh() {
    t = await words();
    const came = await ask("/api/v1/received");
    if (JSON.stringify(came) === drawn) return; // a row that is about to be clicked stays
    drawn = JSON.stringify(came);
    const { films, more, quarantined } = came;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset?.film;
    $("received-films").replaceChildren(...films.map(row));
    if (more) $("received-films").append(element("li", fill(t.received_more, { n: more }), "soft"));
    if (focused) $("received-films").querySelector(`[data-film="${CSS.escape(focused)}"]`)?.focus();
    const open = films.filter((/** @type {Came} */ one) => one.state === "received" || one.state === "answered").length + more;
    $("received-count").textContent = films.length ? fill(t.received_count, { n: open }) : t.received_none;
    $("received-apart").hidden = quarantined.length === 0;
    $("received-apart-count").textContent = fill(t.received_apart, { n: quarantined.length });
    $("received-apart-files").replaceChildren(
      ...quarantined.map((/** @type {any} */ one) => item(element("code", one.film), element("span", ` ${one.reason}`))),
    );
  }

  /** @param {Came} came */
  function row(came) {
    const button = element("button", "");
    button.dataset.film = came.film;
    button.setAttribute("aria-pressed", String(came.film === opened));
    const name = came.PatientName.replaceAll("^", " ").trim();
    const who = [name, came.PatientID].filter(Boolean).join(" · ") || t.received_nameless;
    const what = [day(came.StudyDate), came.Modality, came.BodyPartExamined, came.ViewPosition, came.AccessionNumber];
    button.append(element("strong", who), element("span", what.filter(Boolean).join(" · "), "soft"), element("span", state(came), `state ${came.state}`));
    button.addEventListener("click", () => on.open(came));
    return came.trouble ? item(button, element("p", fill(t.received_trouble, { reason: came.trouble }), "warn")) : item(button);
  }

  /** @param {Came} came */
  function state(came) {
    const name = t[`received_state_${came.state}`];
    return came.sent && came.state !== "sent" ? `${name}; ${fill(t.received_sent, { n: came.sent })}` : name;
  }

  async function accept() {
    if (!offered) return;
    const { film, key } = offered;
    $("accept").disabled = true;
    say(t.received_accepting);
    try {
      await ask(`/api/v1/received/${film}/accept`, { key });
      offered = null;
      $("accepting").hidden = true;
      say(t.received_accepted);
      setTimeout(look, SOON);
    } catch (error) {
      say(t.received_refused, true);
      await showFaults(error);
      $("accept").disabled = false;
    }
    await look();
  }

  const look = () => refresh().catch((error) => say(error.message, true));
  $("accept").addEventListener("click", accept);
  setInterval(() => document.hidden || look(), PAUSE);

  return {
    refresh,
    /** Show which film is open. @param {Came | null} came */
    mark(came) {
      opened = came?.film ?? "";
      for (const button of $("received-films").querySelectorAll("button")) {
        button.setAttribute("aria-pressed", String(button.dataset.film === opened));
      }
    },
    /** Offer to send the answer that is shown, or none. @param {Came | null} came @param {string} [key] */
    offer(came, key = "") {
      offered = came && { film: came.film, key };
      $("accepting").hidden = offered === null;
      $("accept").disabled = false;
      if (came) look();
    },
  };
}

const day = (/** @type {string} */ text) => text.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3");

/** @param {HTMLElement[]} parts */
function item(...parts) {
  const made = document.createElement("li");
  made.append(...parts);
  return made;
}

// Makes the study of the films that were found, and goes on to its table.
import { ask, showFaults } from "./shell.js";

const form = /** @type {HTMLFormElement | null} */ (document.getElementById("new"));

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(form);
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  button.disabled = true;
  try {
    const classes = String(given.get("classes")).split(/[,，;]/);
    await ask("/api/study/new", { name: given.get("name"), classes });
    location.reload();
  } catch (error) {
    button.disabled = false;
    showFaults(error);
  }
});

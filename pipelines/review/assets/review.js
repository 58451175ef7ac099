// The keys of the review pages. Everything they do can be done without them too.
"use strict";

const keys = document.querySelector("[data-keys]");

function changes() {
  // A hunk, or in a whole file the first line of each block of added lines.
  const rows = [...document.querySelectorAll("table.diff tbody tr")];
  return rows.filter((row, number) => {
    if (row.classList.contains("hunk")) return true;
    const added = (other) => other && other.querySelector(".add") !== null;
    return !document.querySelector("tr.hunk") && added(row) && !added(rows[number - 1]);
  });
}

function moveToChange(step) {
  const found = changes();
  const at = found.findIndex((row) => row.classList.contains("here"));
  const next = found[at < 0 ? (step > 0 ? 0 : found.length - 1) : at + step];
  if (!next) return;
  if (at >= 0) found[at].classList.remove("here");
  next.classList.add("here");
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "center" });
}

function showKeys() {
  const list = document.getElementById("keys");
  list.open = true;
  list.querySelector("summary").focus();
  list.scrollIntoView();
}

function focusField(key) {
  const opener = document.querySelector(`[data-open="${key}"]`);
  if (opener) opener.parentElement.open = true;
  const field = document.querySelector(`[data-focus="${key}"]`);
  if (field) field.focus();
  return field !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const typing = event.target.closest("input, textarea, select");
  if (event.key === "Escape" && typing) typing.blur();
  if (typing || !keys.checked) return;
  if (event.key === "?") showKeys();
  else if (event.key === "j") moveToChange(1);
  else if (event.key === "k") moveToChange(-1);
  else if (/^[a-z/]$/.test(event.key)) {
    const link = document.querySelector(`[data-key="${event.key}"]`);
    if (link) link.click();
    else if (!focusField(event.key)) return;
  } else return;
  event.preventDefault();
});

keys.checked = localStorage.getItem("keys") !== "off";
keys.addEventListener("change", () => {
  localStorage.setItem("keys", keys.checked ? "on" : "off");
});
for (const link of document.querySelectorAll("[data-help]")) {
  link.addEventListener("click", showKeys);
}
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
  });
}

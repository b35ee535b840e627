// Keyboard: j and k walk through rows, / searches, ? lists the keys, data-key adds a page's own.

const rows = () => [...document.querySelectorAll("a.row-link")];

function walk(step) {
  const links = rows();
  if (!links.length) return;
  const here = links.indexOf(document.activeElement);
  links[Math.min(Math.max(here + step, 0), links.length - 1)].focus();
}

const KEYS = {
  j: () => walk(1),
  k: () => walk(-1),
  "/": () => document.querySelector('input[type="search"]')?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable], dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const own = [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === event.key);
  const act = own ? () => own.click() : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// The list behind ? also names the keys of this page.
const list = document.querySelector("#keys .keys");
for (const element of list ? document.querySelectorAll("[data-key]") : []) {
  const entry = document.createElement("div");
  const term = document.createElement("dt");
  const key = document.createElement("kbd");
  const meaning = document.createElement("dd");
  key.textContent = element.dataset.key;
  meaning.textContent = element.textContent.trim();
  term.append(key);
  entry.append(term, meaning);
  list.append(entry);
}

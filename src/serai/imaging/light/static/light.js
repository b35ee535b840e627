// The light viewer: one series at a time, opened in the middle.

import { listen } from "./hands.js";
import { Pictures } from "./pictures.js";
import { Screen } from "./screen.js";

const outline = JSON.parse(document.body.dataset.outline);
const words = JSON.parse(document.body.dataset.words);
const part = (id) => document.getElementById(id);
const stage = part("stage");
const screen = new Screen(part("picture"));
const FRAMES_A_SECOND = 10;
// Centre and width in Hounsfield units, as radiologists are used to them.
const CT = [["soft", 40, 400], ["lung", -600, 1500], ["bone", 480, 2500], ["brain", 40, 80], ["liver", 60, 160]];

let series = null;
let pictures = null;
let at = 0;
let shownWindow = null;
let film = 0;
let waiting = false;

function open(chosen) {
  stop();
  pictures?.close();
  series = chosen;
  at = Math.floor(series.frames / 2);
  shownWindow = series.windows[0] ?? null;
  screen.reset();
  screen.lines = [];
  pictures = new Pictures(document.body.dataset.study, series, outline.version, at, arrived, told);
  part("place").max = series.frames - 1;
  part("preset").replaceChildren(...presets().map(([text], index) => new Option(text, index)));
  for (const row of document.querySelectorAll("#series-list button")) {
    row.setAttribute("aria-current", String(row.dataset.uid === series.uid));
  }
  look();
}

function presets() {
  const own = series.windows.map((each, index) => [index ? `${words.as_sent} ${index + 1}` : words.as_sent, each]);
  const known = series.modality === "CT" ? CT.map(([name, ...each]) => [words[name], each]) : [];
  const first = own.length ? own : [[words.as_sent, null]];
  return [...first, ...known];
}

function look() {
  pictures.look(at, shownWindow);
  redraw();
}

function arrived(place) {
  if (place === at) redraw();
}

function told(word) {
  part("notice").hidden = !word;
  part("notice").textContent = word ? words[word] : "";
}

function redraw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  const picture = pictures.best(at);
  screen.at = at;
  screen.show(picture, shownWindow, series, series.spacing);
  const { study } = outline;
  part("who").textContent = [...new Set(study.name), study.id, day(study.born)].filter(Boolean).join("\n");
  part("what").textContent = [series.modality, series.description || study.description, day(study.date)].filter(Boolean).join("\n");
  const level = shownWindow ?? picture?.window;
  const place = series.places ? `\n${series.places[at]} mm` : "";
  part("where").textContent = `${words.image} ${at + 1}/${series.frames}${place}${level && !series.colour ? `\nC ${Math.round(level[0])} W ${Math.round(level[1])}` : ""}`;
  const failed = pictures.failed.has(at);
  part("shown").textContent = failed ? words.cannot : words[picture?.quality ?? "loading"];
  part("shown").dataset.quality = failed ? "none" : picture?.quality ?? "none";
  part("place").value = at;
  part("place").setAttribute("aria-valuetext", `${at + 1}/${series.frames}`);
}

const acts = {
  leaf(steps) {
    const wanted = Math.min(series.frames - 1, Math.max(0, at + steps));
    if (wanted === at) return;
    at = wanted;
    look();
  },
  zoom: (factor, x, y) => screen.zoomAt(factor, x, y),
  nearer: () => acts.zoom(1.25, ...centre()),
  farther: () => acts.zoom(0.8, ...centre()),
  move(across, down) {
    screen.x += across;
    screen.y += down;
  },
  contrast(across, down) {
    const [level, width] = shownWindow ?? pictures.best(at)?.window ?? (pictures.best(at)?.range ? ends(pictures.best(at).range) : [128, 256]);
    const step = Math.max(1, width / 250);
    shownWindow = [Math.round(level + down * step), Math.max(2, Math.round(width + across * step))];
    look();
  },
  preset(index) {
    const found = presets()[index];
    if (!found) return;
    part("preset").value = index;
    shownWindow = found[1];
    pictures.window = shownWindow;
    look();
  },
  turn: () => { screen.turns = (screen.turns + 1) % 4; },
  mirror: () => { screen.mirrored = !screen.mirrored; },
  upend: () => { screen.upended = !screen.upended; },
  invert: () => { screen.invert = !screen.invert; },
  text: () => stage.classList.toggle("plain"),
  fit: () => Object.assign(screen, { zoom: 1, x: 0, y: 0 }),
  reset() {
    screen.reset();
    acts.preset(0);
  },
  tool(name) {
    stage.dataset.tool = name;
    for (const each of document.querySelectorAll("[data-tool]")) {
      if (each !== stage) each.setAttribute("aria-checked", String(each.dataset.tool === name));
    }
  },
  from(x, y) {
    const point = screen.under(x, y);
    screen.lines.push({ at, from: point, to: point });
  },
  to(x, y) {
    const line = screen.lines.at(-1);
    if (line) line.to = screen.under(x, y);
  },
  unmeasure: () => { screen.lines = []; },
  exact: () => pictures.ask(),
  play: () => (film ? stop() : start()),
};

function meant(name, ...given) {
  if (!series) return;
  acts[name](...given);
  redraw();
}

// As DICOM writes a date, and as people read it.
function day(text) {
  return text.replace(/^(\d{4})(\d{2})(\d{2})$/, "$1-$2-$3");
}

function ends([low, high]) {
  return [(low + high) / 2, Math.max(high - low, 1)];
}

function centre() {
  const box = stage.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}

// A film shows the next picture that is here, and never runs ahead of the line.
function start() {
  if (series.frames < 2) return;
  const next = () => {
    const following = (at + 1) % series.frames;
    if (pictures.best(following) || pictures.failed.has(following)) {
      at = following;
      look();
    } else {
      pictures.look((at + 1) % series.frames);
    }
  };
  film = setInterval(next, 1000 / Math.min(60, series.rate ?? FRAMES_A_SECOND));
  pictures.play(true);
  pressed(true);
}

function stop() {
  if (!film) return;
  clearInterval(film);
  film = 0;
  pictures.play(false);
  pressed(false);
  look();
}

function pressed(playing) {
  document.querySelector("[data-act=play]").setAttribute("aria-pressed", String(playing));
}

function listed(each) {
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.uid = each.uid;
  const text = document.createElement("span");
  text.textContent = [each.modality, each.number, each.description].filter((word) => word !== null && word !== "").join(" · ");
  const count = document.createElement("span");
  count.textContent = each.frames;
  button.append(text, count);
  button.addEventListener("click", () => {
    part("series").close();
    open(each);
    stage.focus();
  });
  row.append(button);
  return row;
}

document.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-act], [data-panel], button[data-tool]");
  if (!chosen) return;
  if (chosen.dataset.panel) part(chosen.dataset.panel).showModal();
  else if (chosen.dataset.tool) meant("tool", chosen.dataset.tool);
  else meant(chosen.dataset.act);
  if (chosen.dataset.tool || chosen.dataset.act === "play") stage.focus();
});
part("preset").addEventListener("change", (event) => meant("preset", Number(event.target.value)));
part("place").addEventListener("input", (event) => meant("leaf", Number(event.target.value) - at));
window.addEventListener("online", () => pictures?.resume());
new ResizeObserver(() => {
  screen.fit();
  if (series) draw();
}).observe(stage);

part("series-list").append(...outline.series.map(listed));
part("others").hidden = !outline.others;
listen(stage, meant);
screen.fit();
if (outline.series.length) open(outline.series.reduce((most, each) => (each.frames > most.frames ? each : most)));
else told("nothing");
stage.focus();

// The ECG page: real millimetres, calipers that snap to nothing, march-out, all from the keyboard too.
// A sheet's drawing counts hundredths of a millimetre, so that a caliper needs no signal to measure.

const UNITS_PER_MM = 100;
const CARD_MM = 85.6;
const SVG = "http://www.w3.org/2000/svg";
const STEP = { fine: 20, coarse: 100 };

const reading = document.querySelector("[data-reading]");
const sheets = [...document.querySelectorAll("[data-sheet]")];
const tool = document.querySelector("[data-caliper]");
const marching = document.querySelector("[data-march]");

// One CSS millimetre is only nominal; the reader's own screen is measured with a bank card.
function scale(percent) {
  for (const sheet of sheets) {
    const svg = sheet.querySelector("svg");
    const box = svg.viewBox.baseVal;
    svg.style.width = `${(box.width / UNITS_PER_MM) * (percent / 100)}mm`;
    svg.style.height = `${(box.height / UNITS_PER_MM) * (percent / 100)}mm`;
  }
  const card = document.querySelector("[data-card]");
  if (card) card.style.width = `${CARD_MM * (percent / 100)}mm`;
}

const size = document.querySelector("[data-size]");
const kept = Number(localStorage.getItem("serai.ecg.size")) || 100;
size.value = String(kept);
scale(kept);
size.addEventListener("input", () => {
  localStorage.setItem("serai.ecg.size", size.value);
  scale(Number(size.value));
});
document.querySelector("[data-reset]").addEventListener("click", () => {
  localStorage.removeItem("serai.ecg.size");
  size.value = "100";
  scale(100);
});

let caliper = null; // { sheet, x1, y1, x2, y2 } in the drawing's units
let on = false;

function toggle(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

function setOn(value) {
  on = value;
  toggle(tool, on);
  for (const sheet of sheets) sheet.classList.toggle("measuring", on);
  if (on && !caliper && sheets.length) {
    const box = sheets[0].querySelector("svg").viewBox.baseVal;
    caliper = { sheet: sheets[0], x1: 2000, y1: box.height / 2 - 500, x2: 4500, y2: box.height / 2 + 500 };
  }
  draw();
}

function clear() {
  caliper = null;
  toggle(marching, false);
  setOn(false);
}

function measured() {
  const { sheet, x1, x2, y1, y2 } = caliper;
  const ms = (Math.abs(x2 - x1) / UNITS_PER_MM / Number(sheet.dataset.speed)) * 1000;
  const mv = Math.abs(y2 - y1) / UNITS_PER_MM / Number(sheet.dataset.gain);
  return { ms, mv, bpm: ms > 0 ? 60000 / ms : 0 };
}

function shape(svg, name, kind, attributes) {
  const element = document.createElementNS(SVG, name);
  element.setAttribute("class", kind);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  svg.append(element);
}

function march(svg) {
  const { width, height } = svg.viewBox.baseVal;
  const every = Math.abs(caliper.x2 - caliper.x1);
  if (every < 100) return;
  const lines = [];
  const left = Math.min(caliper.x1, caliper.x2);
  for (let x = left % every; x <= width; x += every) lines.push(`M${Math.round(x)} 0V${height}`);
  shape(svg, "path", "ecg-march", { d: lines.join("") });
}

function draw() {
  for (const old of document.querySelectorAll(".ecg-caliper, .ecg-march")) old.remove();
  reading.hidden = !caliper;
  if (!caliper) return;
  const svg = caliper.sheet.querySelector("svg");
  const { x1, x2, y1, y2 } = caliper;
  shape(svg, "rect", "ecg-caliper", {
    x: Math.min(x1, x2), y: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1),
  });
  if (marching.getAttribute("aria-pressed") === "true") march(svg);
  const { ms, mv, bpm } = measured();
  const words = reading.dataset;
  reading.textContent = `${Math.round(ms)} ${words.ms} · ${Math.round(bpm)} ${words.bpm} · ${mv.toFixed(2)} ${words.mv}`;
}

function place(sheet, event) {
  const svg = sheet.querySelector("svg");
  const inside = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return { x: inside.x, y: inside.y };
}

for (const sheet of sheets) {
  sheet.addEventListener("pointerdown", (event) => {
    if (!on || event.button) return;
    const { x, y } = place(sheet, event);
    caliper = { sheet, x1: x, y1: y, x2: x, y2: y };
    sheet.setPointerCapture(event.pointerId);
    event.preventDefault();
    draw();
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!on || !sheet.hasPointerCapture(event.pointerId)) return;
    const { x, y } = place(sheet, event);
    Object.assign(caliper, { x2: x, y2: y });
    draw();
  });
}

tool.addEventListener("click", () => setOn(!on));
marching.addEventListener("click", () => {
  const pressed = marching.getAttribute("aria-pressed") !== "true";
  toggle(marching, pressed);
  if (pressed && !on) setOn(true);
  draw();
});
document.querySelector("[data-clear]").addEventListener("click", clear);

// Arrows move the second leg, with Alt the whole caliper; Shift takes big steps.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (!on || !caliper || typing || event.ctrlKey || event.metaKey) return;
  const step = event.shiftKey ? STEP.coarse * 5 : STEP.fine;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  const move = moves[event.key];
  if (event.key === "Escape") clear();
  if (!move) return;
  event.preventDefault();
  caliper.x2 += move[0];
  caliper.y2 += move[1];
  if (event.altKey) {
    caliper.x1 += move[0];
    caliper.y1 += move[1];
  }
  draw();
});

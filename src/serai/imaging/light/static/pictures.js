// What of a series is here, and what is fetched next over a line that may be very thin:
// the picture in view first, then small ones around it outward, then the exact values in view.

import { unpacked } from "./values.js";

const SHARP = { size: 512, quality: 50 };
// Radiographs: so large that their exact values are fetched only when somebody asks for them.
const LARGE_SIDE = 640;
const SHARP_LARGE = { size: 1280, quality: 60 };
const MOST_UNASKED = 1200 * 1200;
const COLOUR = { size: 1024, quality: 85 };
const AT_ONCE = 12;
const NEAR = 12;
const REST_MS = 120;
const KEPT_SHARP = 48;
const KEPT_EXACT = 12;
const LONGEST_PAUSE_MS = 15000;

export class Pictures {
  constructor(study, series, version, at, arrived, told) {
    this.base = `/light/${encodeURIComponent(study)}/series/${encodeURIComponent(series.uid)}`;
    this.series = series;
    this.version = version;
    this.arrived = arrived;
    this.told = told;
    this.small = new Map();
    this.sharp = new Map();
    this.exact = new Map();
    this.failed = new Set();
    this.withoutValues = series.colour;
    this.asked = series.rows * series.columns <= MOST_UNASKED;
    this.window = series.windows[0] ?? null;
    this.at = at;
    this.moved = 0;
    this.playing = false;
    this.waiting = new Map();
    this.paused = false;
    this.backoff = 0;
    this.open = true;
  }

  // The best picture of a place that is here: exact, sharp or small.
  best(at) {
    return this.exact.get(at) ?? this.sharp.get(at) ?? this.small.get(at) ?? null;
  }

  look(at, window) {
    if (at !== this.at || (window && !same(window, this.window))) this.moved = performance.now();
    if (at !== this.at) {
      for (const [key, loading] of this.waiting) if (key !== "small" && loading.at !== at) loading.stop();
    }
    this.at = at;
    if (window) this.window = window;
    this.pump();
  }

  // Exact values whatever they cost.
  ask() {
    this.asked = true;
    this.pump();
  }

  play(playing) {
    this.playing = playing;
    this.pump();
  }

  close() {
    this.open = false;
    for (const loading of this.waiting.values()) loading.stop();
    clearTimeout(this.timer);
  }

  pump() {
    if (!this.open || this.paused) return;
    const rested = performance.now() - this.moved >= REST_MS || !this.moved;
    if (!rested) this.later(REST_MS);
    if (rested && !this.playing && this.needsSharp()) return this.fetchOne();
    if (this.waiting.has("sharp") || this.waiting.has("exact")) return;
    const next = this.wanting();
    const near = next.length && Math.abs(next[0] - this.at) <= NEAR;
    if (rested && !near && !this.playing && this.needsExact()) return this.fetchExact();
    if (next.length && !this.waiting.has("small")) this.fetchSmall(next);
  }

  needsSharp() {
    if (this.exact.has(this.at) || this.failed.has(this.at) || this.waiting.has("sharp")) return false;
    const here = this.sharp.get(this.at);
    return !here || !same(here.window, this.window);
  }

  needsExact() {
    return this.asked && !this.withoutValues && !this.exact.has(this.at) && !this.failed.has(this.at);
  }

  // Places without a small picture in this window, nearest first.
  wanting() {
    const found = [];
    const lacks = (at) => {
      if (at < 0 || at >= this.series.frames || this.failed.has(at) || this.exact.has(at)) return;
      const here = this.sharp.get(at) ?? this.small.get(at);
      if (!here || !same(here.window, this.window)) found.push(at);
    };
    for (let away = 0; away < this.series.frames && found.length < AT_ONCE; away++) {
      lacks(this.at + away);
      if (away) lacks(this.at - away);
    }
    return found;
  }

  address(places, { size, quality }) {
    const window = this.window && !this.series.colour ? `&window=${this.window[0]},${this.window[1]}` : "";
    return `${this.base}/previews?v=${this.version}&frames=${places.join(",")}&size=${size}&quality=${quality}${window}`;
  }

  fetchOne() {
    const at = this.at;
    const large = Math.max(this.series.rows, this.series.columns) > LARGE_SIDE;
    const wish = this.series.colour ? COLOUR : large ? SHARP_LARGE : SHARP;
    return this.stream("sharp", at, this.address([at], wish), (place, picture) => {
      keep(this.sharp, place, { ...picture, quality: this.series.colour ? "exact" : "reduced" }, KEPT_SHARP);
    });
  }

  fetchSmall(places) {
    const [size, quality] = this.series.small;
    return this.stream("small", places[0], this.address(places, { size, quality }), (place, picture) => {
      this.small.set(place, { ...picture, quality: "preview" });
    });
  }

  async stream(kind, at, address, keepIt) {
    const window = this.window;
    await this.fetching(kind, at, address, async (answer) => {
      for await (const [place, jpeg] of parts(answer.body.getReader())) {
        if (!jpeg.length) this.failed.add(place);
        else keepIt(place, { ...(await decoded(jpeg, this.series.colour)), window, inverted: this.series.inverted });
        this.arrived(place);
      }
    });
  }

  fetchExact() {
    const at = this.at;
    return this.fetching("exact", at, `${this.base}/values/${at}?v=${this.version}`, async (answer) => {
      keep(this.exact, at, { ...unpacked(await answer.arrayBuffer()), quality: "exact" }, KEPT_EXACT);
      this.arrived(at);
    });
  }

  async fetching(kind, at, address, use) {
    const control = new AbortController();
    this.waiting.set(kind, { at, stop: () => control.abort() });
    try {
      const answer = await fetch(address, { signal: control.signal });
      if (answer.status === 409) this.end("grown");
      else if (kind === "exact" && [406, 415].includes(answer.status)) this.withoutValues = true;
      else if (answer.status === 401 || answer.redirected) window.location.reload();
      else if (answer.ok) await use(answer);
      else if (answer.status < 500) this.end("grown");
      else throw new Error(String(answer.status));
      this.backoff = 0;
      this.told("");
    } catch (error) {
      if (error.name !== "AbortError") this.again();
    } finally {
      this.waiting.delete(kind);
    }
    this.pump();
  }

  end(word) {
    this.open = false;
    this.told(word);
    this.told = () => {};
  }

  // A dead line: try again, less and less often.
  again() {
    this.told("offline");
    this.backoff = Math.min(2 * (this.backoff || 500), LONGEST_PAUSE_MS);
    this.paused = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.resume(), this.backoff);
  }

  resume() {
    this.paused = false;
    this.pump();
  }

  later(after) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.pump(), after);
  }
}

function same(one, other) {
  return one === other || (one && other && one[0] === other[0] && one[1] === other[1]);
}

function keep(map, key, value, most) {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value);
}

// Number and length, then the JPEG, again and again, as they come in.
async function* parts(reader) {
  let held = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(held.length + value.length);
    joined.set(held);
    joined.set(value, held.length);
    held = joined;
    while (held.length >= 8) {
      const head = new DataView(held.buffer, held.byteOffset);
      const length = head.getUint32(4, true);
      if (held.length < 8 + length) break;
      yield [head.getUint32(0, true), held.slice(8, 8 + length)];
      held = held.subarray(8 + length);
    }
  }
}

async function decoded(jpeg, colour) {
  const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  const { width, height } = bitmap;
  if (colour) return { rows: height, columns: width, bitmap };
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const greys = new Uint8Array(width * height);
  for (let at = 0; at < greys.length; at++) greys[at] = data[4 * at];
  return { rows: height, columns: width, greys };
}

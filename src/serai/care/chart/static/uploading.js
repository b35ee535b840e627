// Pictures sent over a line that may break: each file is an upload of its own (tus 1.0), which goes
// on where it ended, after a pause, a dead line or a reload. At the end the form names them all.

const TUS = { "Tus-Resumable": "1.0.0" };
const BYTES = { "Content-Type": "application/offset+octet-stream" };
const SMALLEST = 64 * 1024;
const LARGEST = 8 * 1024 * 1024;
const DEAD_MS = 90000;
const LONGEST_PAUSE_MS = 15000;
const TOGETHER = 2;
const ENDS = 65536;

const secret = document.querySelector('meta[name="csrf"]')?.content ?? "";

class Refused extends Error {}

class Sending {
  constructor(form, files, panel) {
    this.form = form;
    this.files = files;
    this.panel = panel;
    this.total = files.reduce((sum, file) => sum + file.size, 0);
    this.here = new Map();
    this.part = 256 * 1024;
    this.paused = null;
    this.control = new AbortController();
  }

  pause() {
    if (this.paused) {
      this.paused.go();
      this.paused = null;
    } else {
      let go;
      this.paused = new Promise((resolve) => { go = resolve; });
      this.paused.go = go;
      this.control.abort();
      this.control = new AbortController();
    }
    this.tell(this.paused ? "paused" : "sending");
    return Boolean(this.paused);
  }

  async run() {
    const ids = new Array(this.files.length);
    const left = this.files.keys();
    const work = async () => {
      for (const number of left) ids[number] = await this.send(this.files[number]);
    };
    await Promise.all(Array.from({ length: TOGETHER }, work));
    return ids;
  }

  // The id of a file's upload, once all of it is there.
  async send(file) {
    const name = file.webkitRelativePath || file.name;
    const described = { filename: name.slice(-200), fingerprint: await fingerprint(file), for: purpose(this.form) };
    const metadata = Object.entries(described).map(([key, value]) => `${key} ${base64(value)}`).join(",");
    let place = "";
    let offset = 0;
    for (let tries = 0; !place || offset < file.size;) {
      await this.paused;
      try {
        if (!place) {
          const whole = file.size <= this.part ? file : null;
          const begun = await this.ask("POST", "/api/uploads", { "Upload-Length": file.size, "Upload-Metadata": metadata }, whole);
          place = begun.headers.get("Location");
          offset = Number(begun.headers.get("Upload-Offset"));
        } else {
          if (tries) offset = Number((await this.ask("HEAD", place, {})).headers.get("Upload-Offset"));
          if (offset < file.size) offset = await this.goOn(place, file, offset);
        }
        tries = 0;
        this.here.set(file, offset);
        this.tell("sending");
      } catch (error) {
        if (error instanceof Refused) throw error;
        tries += 1;
        if (!this.paused) {
          this.tell("offline");
          this.part = Math.max(SMALLEST, this.part / 2);
          await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, LONGEST_PAUSE_MS)));
        }
      }
    }
    return place.split("/").pop();
  }

  async goOn(place, file, offset) {
    const began = performance.now();
    const answer = await this.ask("PATCH", place, { "Upload-Offset": offset }, file.slice(offset, offset + this.part));
    if (performance.now() - began < 2000) this.part = Math.min(LARGEST, this.part * 2);
    return Number(answer.headers.get("Upload-Offset"));
  }

  async ask(method, address, headers, body = null) {
    const answer = await fetch(address, {
      method,
      body,
      headers: { ...TUS, ...(body ? BYTES : {}), ...headers, "X-CSRF-Token": secret },
      signal: AbortSignal.any([this.control.signal, AbortSignal.timeout(DEAD_MS)]),
    });
    if (answer.ok) return answer;
    if (answer.status >= 500 || answer.status === 429 || (answer.status === 409 && method === "PATCH")) throw new Error(String(answer.status));
    throw new Refused((await answer.json().catch(() => null))?.error?.text ?? String(answer.status));
  }

  tell(state) {
    const sent = [...this.here.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.panel.show(state, sent, this.total);
  }
}

class Panel {
  constructor(element) {
    this.element = element;
    this.bar = element.querySelector("progress");
    this.state = element.querySelector("[data-state]");
    this.button = element.querySelector("[data-pause]");
    this.words = JSON.parse(element.dataset.words);
  }

  show(state, sent = 0, total = 0) {
    this.element.hidden = false;
    this.element.dataset.now = state;
    this.bar.hidden = this.button.hidden = !["sending", "paused", "offline"].includes(state);
    if (total) this.bar.value = sent / total;
    const amount = total ? ` ${megabytes(sent)} / ${megabytes(total)} MB` : "";
    this.state.textContent = (this.words[state] ?? state) + amount;
  }
}

async function fingerprint(file) {
  const ends = new Blob([file.slice(0, ENDS), file.slice(Math.max(0, file.size - ENDS))]);
  let sum = 0x811c9dc5;
  for (const byte of new Uint8Array(await ends.arrayBuffer())) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0;
  return `${file.size} ${sum.toString(16)} ${file.webkitRelativePath || file.name}`.slice(0, 400);
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

function purpose(form) {
  return new URL(form.action).pathname;
}

// What the server answers to the form that names the uploads: the next page, or what was refused.
async function handOver(form, ids) {
  for (let tries = 0; ; tries++) {
    try {
      const body = new URLSearchParams({ uploaded: ids.join(",") });
      const answer = await fetch(form.action, { method: "POST", body, headers: { "X-CSRF-Token": secret } });
      if (answer.status < 502) return answer;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** tries, LONGEST_PAUSE_MS)));
  }
}

async function submit(form, files, panel) {
  form.dataset.sent = "yes";
  const sending = new Sending(form, files, panel);
  panel.button.onclick = () => {
    const paused = sending.pause();
    panel.button.textContent = paused ? panel.words.resume : panel.words.pause;
  };
  try {
    sending.tell("sending");
    const ids = await sending.run();
    panel.show("storing");
    const answer = await handOver(form, ids);
    if (answer.redirected) {
      window.location.assign(answer.url);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    window.scrollTo(0, 0);
  } catch (error) {
    delete form.dataset.sent;
    panel.show(error.message);
  }
}

// What a reload or another day has left unfinished.
async function remember(form, panel) {
  const answer = await fetch(`/api/uploads?for=${encodeURIComponent(purpose(form))}`);
  if (!answer.ok) return;
  const left = await answer.json();
  if (!left.length || form.dataset.sent) return;
  const sum = (name) => left.reduce((all, each) => all + each[name], 0);
  panel.show("unfinished", sum("offset"), sum("length"));
  const names = document.createElement("span");
  names.textContent = ` (${left.slice(0, 3).map((each) => each.filename).join(", ")}${left.length > 3 ? ", …" : ""}) `;
  const discard = document.createElement("button");
  discard.type = "button";
  discard.className = "quiet small";
  discard.textContent = panel.words.discard;
  discard.addEventListener("click", async () => {
    await Promise.all(left.map((each) => fetch(`/api/uploads/${each.id}`, { method: "DELETE", headers: { ...TUS, "X-CSRF-Token": secret } })));
    panel.element.hidden = true;
  });
  panel.state.append(names, discard);
}

for (const element of document.querySelectorAll("[data-resumable]")) {
  const form = element.closest("form");
  const panel = new Panel(element);
  // Before the page's own handler, which would send everything in one request.
  form.addEventListener("submit", (event) => {
    const files = [...form.querySelectorAll('input[type="file"]')].flatMap((input) => [...input.files]);
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    if (!form.dataset.sent) submit(form, files, panel);
  });
  remember(form, panel).catch(() => {});
}

// A coded film waits until the server has it ready; a run of frames is played at its own times.

const video = document.getElementById('film');
const canvas = document.getElementById('cine');
const state = document.getElementById('film-state');
const AGAIN_MS = 3000;
const AT_ONCE = 4;
const AHEAD = 48;

async function prepare() {
  const source = video.dataset.source;
  const { waiting, broken } = video.parentElement.dataset;
  const answer = await fetch(source, { headers: { Accept: 'video/mp4', Range: 'bytes=0-0' } }).catch(() => null);
  if (answer?.ok) {
    state.textContent = '';
    video.src = source;
  } else if (!answer || answer.status === 503) {
    state.textContent = waiting;
    setTimeout(prepare, AGAIN_MS);
  } else {
    state.textContent = broken;
  }
}

function cine() {
  const frames = Number(canvas.dataset.frames);
  const times = canvas.dataset.times.split(' ').map(Number);
  const [play, back, on, place, speed] = ['play', 'back', 'on', 'place', 'speed'].map((id) => document.getElementById(id));
  const pen = canvas.getContext('2d');
  const pictures = new Map();
  let at = 0;
  let playing = false;
  let due = 0;
  let loading = 0;

  const timeOf = (index) => (times[index] ?? times[0]) / Number(speed.value);
  const wanted = () => Array.from({ length: Math.min(AHEAD, frames) }, (_, step) => (at + step) % frames);

  async function load(index) {
    loading += 1;
    pictures.set(index, null);
    try {
      const answer = await fetch(`${canvas.dataset.source}${index + 1}/rendered`, { headers: { Accept: 'image/jpeg' } });
      if (!answer.ok) throw new Error(answer.status);
      pictures.set(index, await createImageBitmap(await answer.blob()));
      if (index === at) show();
    } catch {
      state.textContent = canvas.parentElement.dataset.broken;
      stop();
    } finally {
      loading -= 1;
      fill();
    }
  }

  // The frames to come next, and no more of those gone by than memory should hold.
  function fill() {
    const next = wanted();
    for (const index of next) {
      if (loading >= AT_ONCE) return;
      if (!pictures.has(index)) load(index);
    }
    for (const index of pictures.keys()) {
      if (pictures.size <= 2 * AHEAD) break;
      if (!next.includes(index)) {
        pictures.get(index)?.close();
        pictures.delete(index);
      }
    }
  }

  function show() {
    const picture = pictures.get(at);
    if (!picture) return false;
    if (canvas.width !== picture.width) canvas.width = picture.width;
    if (canvas.height !== picture.height) canvas.height = picture.height;
    pen.drawImage(picture, 0, 0);
    canvas.dataset.shown = at + 1;
    place.value = at + 1;
    state.textContent = `${at + 1} / ${frames}`;
    return true;
  }

  function go(index) {
    at = (index + frames) % frames;
    fill();
    return show();
  }

  function tick(now) {
    if (!playing) return;
    if (now >= due) {
      const shown = at;
      // A frame that is not here yet is waited for, not left out.
      if (pictures.get((at + 1) % frames)) {
        go(at + 1);
        due = Math.max(due, now - 100) + timeOf(shown);
      }
    }
    requestAnimationFrame(tick);
  }

  function start() {
    playing = true;
    due = performance.now() + timeOf(at);
    label();
    requestAnimationFrame(tick);
  }
  function stop() {
    playing = false;
    label();
  }
  function label() {
    play.textContent = playing ? play.dataset.pause : play.dataset.play;
    play.setAttribute('aria-pressed', String(playing));
  }

  const step = (by) => { stop(); go(at + by); };
  play.addEventListener('click', () => (playing ? stop() : start()));
  back.addEventListener('click', () => step(-1));
  on.addEventListener('click', () => step(1));
  place.addEventListener('input', () => { stop(); go(Number(place.value) - 1); });
  canvas.addEventListener('keydown', (event) => {
    const act = { ' ': () => (playing ? stop() : start()), ArrowLeft: () => step(-1), ArrowRight: () => step(1) }[event.key];
    if (act) { event.preventDefault(); act(); }
  });
  fill();
  start();
}

if (video) prepare();
if (canvas) cine();

// What the viewer saves reaches the server, or stays in this browser until it does.
//
// OHIF stores its reports and segmentations by STOW-RS. Each of these requests gets the session's
// secret here. One that does not arrive (line cut, server away, session over) is kept in
// IndexedDB under the account that made it, with word to the user, and sent again: when the line
// comes back, when the viewer is opened again by the same person, or on demand. Sending twice is
// harmless: the server knows an object that it has.

const said = JSON.parse(document.querySelector('meta[name="serai-viewer"]').content);
const OURS = `${window.location.origin}/dicomweb/studies`;
const EVERY_MS = 15000;
const RETRIED = new Set([0, 401, 408, 429, 500, 502, 503, 504]);

const opened = new Promise((resolve, reject) => {
  const request = indexedDB.open('serai-viewer', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('waiting', { autoIncrement: true });
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

async function store(mode, act) {
  const database = await opened;
  return new Promise((resolve, reject) => {
    const transaction = database.transaction('waiting', mode);
    const request = act(transaction.objectStore('waiting'));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}

const keep = (entry) => store('readwrite', (waiting) => waiting.add(entry));
const forget = (key) => store('readwrite', (waiting) => waiting.delete(key));

async function ours() {
  const [keys, entries] = await Promise.all([
    store('readonly', (waiting) => waiting.getAllKeys()),
    store('readonly', (waiting) => waiting.getAll()),
  ]);
  return entries
    .map((entry, index) => ({ ...entry, key: keys[index] }))
    .filter((entry) => entry.account === said.account);
}

function tell(text, kind, act) {
  let bar = document.getElementById('serai-kept');
  if (!bar) {
    bar = document.createElement('div');
    bar.id = 'serai-kept';
    bar.setAttribute('role', 'alert');
    Object.assign(bar.style, {
      position: 'fixed', left: '1rem', right: '1rem', bottom: '1rem', zIndex: 100000,
      padding: '.75rem 1rem', borderRadius: '6px', color: '#fff', display: 'flex', gap: '1rem',
      alignItems: 'center', font: '15px/1.4 system-ui, sans-serif',
    });
    document.body.append(bar);
  }
  bar.style.background = kind === 'good' ? '#14653a' : '#8a1f1f';
  bar.replaceChildren(Object.assign(document.createElement('span'), { textContent: text }));
  bar.firstChild.style.flex = '1';
  for (const [label, handler] of act ?? []) {
    const button = Object.assign(document.createElement('button'), { textContent: label });
    Object.assign(button.style, {
      border: '1px solid #fff', borderRadius: '4px', padding: '.25rem .75rem', background: 'transparent', color: '#fff',
    });
    button.addEventListener('click', handler);
    bar.append(button);
  }
}

const hide = () => document.getElementById('serai-kept')?.remove();
const waitingFor = () => tell(said.words.kept, 'bad', [[said.words.again, sendAgain]]);

// A form secret of an earlier session: signed in again meanwhile, perhaps in another tab.
const comesBack = (status, answer) => RETRIED.has(status) || (status === 403 && answer.includes('"form.'));

function reasonOf(answer) {
  try {
    const content = JSON.parse(answer);
    const item = [...(content['00081198']?.Value ?? []), ...(content['0008119A']?.Value ?? [])][0];
    return item?.['00000902']?.Value?.[0] ?? content.reason ?? content.error ?? '';
  } catch {
    return '';
  }
}

async function failed(entry, status, answer) {
  if (comesBack(status, answer)) {
    await keep(entry);
    waitingFor();
  } else {
    const reason = reasonOf(answer);
    tell(reason ? `${said.words.refused} (${reason})` : said.words.refused, 'bad', [[said.words.close, hide]]);
  }
}

let sending = false;
async function sendAgain() {
  if (sending) return;
  sending = true;
  try {
    const waiting = await ours();
    let left = waiting.length;
    for (const entry of waiting) {
      const answer = await fetch(OURS, {
        method: 'POST',
        headers: { 'Content-Type': entry.type, Accept: 'application/dicom+json', 'X-CSRF-Token': said.csrf },
        body: entry.body,
      }).catch(() => null);
      const text = answer ? await answer.text() : '';
      if (!answer || comesBack(answer.status, text)) break;
      if (!answer.ok) {
        tell(`${said.words.refused} (${reasonOf(text)})`, 'bad', [[said.words.close, hide]]);
        return;
      }
      await forget(entry.key);
      left -= 1;
    }
    if (left) waitingFor();
    else if (waiting.length) tell(said.words.sent, 'good', [[said.words.close, hide]]);
  } finally {
    sending = false;
  }
}

const { open, send, setRequestHeader } = XMLHttpRequest.prototype;
const asked = new WeakMap();

XMLHttpRequest.prototype.open = function (method, address, ...rest) {
  const url = new URL(address, window.location.href);
  const stores = method.toUpperCase() === 'POST' && url.href.split('?')[0].startsWith(OURS);
  asked.set(this, { stores, type: '' });
  return open.call(this, method, address, ...rest);
};
XMLHttpRequest.prototype.setRequestHeader = function (name, value) {
  const about = asked.get(this);
  if (about && name.toLowerCase() === 'content-type') about.type = value;
  return setRequestHeader.call(this, name, value);
};
XMLHttpRequest.prototype.send = function (body) {
  const about = asked.get(this);
  if (about?.stores) {
    setRequestHeader.call(this, 'X-CSRF-Token', said.csrf);
    const entry = { account: said.account, type: about.type, body: new Blob([body]), at: Date.now() };
    this.addEventListener('loadend', () => {
      if (this.status !== 200) failed(entry, this.status, this.responseType ? '' : this.responseText);
    });
  }
  return send.call(this, body);
};

window.addEventListener('online', sendAgain);
window.addEventListener('load', sendAgain);
setInterval(() => document.getElementById('serai-kept') && navigator.onLine && sendAgain(), EVERY_MS);

// Closing the page with what was drawn and not saved asks first.
window.addEventListener('beforeunload', (event) => {
  const drawn = window.services?.measurementService?.getMeasurements?.() ?? [];
  if (said.store && drawn.some((each) => each.isDirty)) event.preventDefault();
});

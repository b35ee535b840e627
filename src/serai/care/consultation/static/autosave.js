// Keeps what is being written: a form with data-autosave is saved a moment after each change.

const PAUSE_MS = 1500;

for (const form of document.querySelectorAll("form[data-autosave]")) keep(form);

function keep(form) {
  const state = form.querySelector("[data-autosave-state]");
  let timer = 0;
  let running = Promise.resolve();
  let idle = true;
  let stopped = false;
  let changed = false;

  const say = (text) => { if (state) state.textContent = text; };

  async function save() {
    if (!changed || stopped) return;
    changed = false;
    say(state?.dataset.saving ?? "");
    const answer = await fetch(form.dataset.autosave, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Autosave": "1", "X-CSRF-Token": form.elements._csrf.value },
    }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (answer?.ok) {
      for (const [name, value] of Object.entries(told)) {
        if (form.elements[name]) form.elements[name].value = value;
        // Every other form of the page acts on the version just saved.
        if (name === "version") for (const other of document.querySelectorAll('input[name="version"]')) other.value = value;
      }
      say(state?.dataset.saved ?? "");
    } else {
      // Somebody else changed it: saving on would overwrite their words.
      stopped = answer?.status === 409;
      changed = !stopped;
      say(`${state?.dataset.failed ?? ""}. ${told?.problem ?? ""}`);
    }
  }

  const soon = () => { running = running.then(save).finally(() => { idle = true; }); idle = false; return running; };

  form.addEventListener("input", () => {
    changed = true;
    clearTimeout(timer);
    timer = setTimeout(soon, PAUSE_MS);
  });

  // No form is sent while a save is under way or words wait to be saved: the one would make the
  // other stale. The form itself brings its words along and only waits for a running save.
  document.addEventListener("submit", (event) => {
    clearTimeout(timer);
    const own = event.target === form;
    if (idle && (own || !changed)) {
      if (own) setTimeout(() => settle(event.defaultPrevented), 0);
      return;
    }
    const { target, submitter } = event;
    event.preventDefault();
    event.stopImmediatePropagation();
    (own ? running : soon()).then(() => target.requestSubmit(submitter));
  }, true);

  // A confirmation that was declined leaves the words where they are: keep saving them.
  function settle(declined) {
    if (!declined) stopped = true;
    else if (changed) timer = setTimeout(soon, PAUSE_MS);
  }

  window.addEventListener("beforeunload", (event) => {
    if (changed && !stopped) event.preventDefault();
  });
}

// Passkeys: ask the server for a question, let the device answer it, hand the answer back.

const secret = document.querySelector('meta[name="csrf"]')?.content ?? "";

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (secret) headers["X-CSRF-Token"] = secret;
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  // A proof too old leads to the page that asks for a new one.
  if (answer.redirected) location.assign(answer.url);
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.error ?? "");
  return said;
}

async function register(form) {
  const options = await post(form.dataset.question, {});
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const made = await navigator.credentials.create({ publicKey });
  const name = form.elements.namedItem("name").value;
  return post(form.dataset.answer, { name, credential: made.toJSON() });
}

async function prove(form) {
  const options = await post(form.dataset.question, {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const given = await navigator.credentials.get({ publicKey });
  const next = form.elements.namedItem("next").value;
  return post(form.dataset.answer, { next, credential: given.toJSON() });
}

const acts = { register, prove };

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    const problem = form.querySelector("[data-problem]");
    problem.hidden = true;
    try {
      const { to } = await acts[form.dataset.passkey](form);
      location.assign(to);
    } catch (error) {
      // What the browser says when the person turned away is not for people; ours is.
      problem.querySelector("p").textContent =
        error instanceof DOMException || !error.message ? form.dataset.failed : error.message;
      problem.hidden = false;
    }
  });
}

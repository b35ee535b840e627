// What every page needs besides its HTML: form secret for htmx, menus, dialogs, confirmations, uploads.

const secret = document.querySelector('meta[name="csrf"]')?.content ?? "";

document.addEventListener("htmx:config:request", (event) => {
  if (secret) event.detail.ctx.request.headers["X-CSRF-Token"] = secret;
});

// The server shows times in this zone from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes(`serai_zone=${zone}`)) {
  document.cookie = `serai_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();

  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) {
    const dialog = dismiss.closest("dialog");
    if (dialog) dialog.close();
    else dismiss.closest(".toast, .alert")?.remove();
  }
  if (event.target instanceof HTMLDialogElement) event.target.close();

  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Ask before an act that cannot be taken back; send every form only once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    return;
  }
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.hasAttribute("data-upload") && form.querySelector('input[type="file"]')?.files.length) {
    event.preventDefault();
    upload(form);
    return;
  }
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});

// Coming back with the browser's back button, a form may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

for (const toast of document.querySelectorAll(".toast.success, .toast.info")) {
  setTimeout(() => toast.remove(), 8000);
}

// Multipart upload with a progress bar; without scripts the same form posts the plain way.
function upload(form) {
  if (form.dataset.sent) return;
  form.dataset.sent = "yes";
  const bar = progressOf(form);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("X-CSRF-Token", secret);
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
  });
  // Everything is sent; the server is still checking and storing it.
  request.upload.addEventListener("load", () => bar.removeAttribute("value"));
  request.addEventListener("load", () => finish(form, request));
  request.addEventListener("error", () => {
    delete form.dataset.sent;
    bar.remove();
    form.submit();
  });
  request.send(new FormData(form));
}

function progressOf(form) {
  const bar = form.querySelector("progress[data-upload-progress]") ?? document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", form.querySelector('input[type="file"]').labels[0]?.textContent.trim() ?? "");
  if (!bar.isConnected) form.append(bar);
  return bar;
}

function finish(form, request) {
  if (request.status < 400 && request.responseURL && new URL(request.responseURL).pathname !== new URL(form.action).pathname) {
    window.location.assign(request.responseURL);
    return;
  }
  const answer = new DOMParser().parseFromString(request.responseText, "text/html");
  document.querySelector("main").replaceWith(answer.querySelector("main"));
  window.scrollTo(0, 0);
}

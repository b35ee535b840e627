// Images beside the record: on a wide screen the viewer opens in a pane, elsewhere in a tab.

const pane = document.querySelector("[data-viewer-pane]");
const workspace = document.querySelector("[data-workspace]");
const wide = window.matchMedia("(min-width: 68rem)");

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-viewer]");
  if (link && pane && wide.matches && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    pane.querySelector("iframe").src = link.href;
    pane.querySelector("[data-viewer-tab]").href = link.href;
    pane.hidden = false;
    workspace.classList.add("reading");
    document.querySelector("main").classList.add("wide");
    workspace.scrollIntoView({ block: "start" });
  }
  if (event.target.closest("[data-viewer-close]")) {
    pane.hidden = true;
    pane.querySelector("iframe").removeAttribute("src");
    workspace.classList.remove("reading");
    document.querySelector("main").classList.remove("wide");
  }
});

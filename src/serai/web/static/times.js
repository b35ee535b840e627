// Keeps "5 minutes ago" true while a page stays open, in the page's language.

const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const spoken = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

function refresh() {
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
    const [unit, length] = STEPS.find(([, step]) => Math.abs(seconds) >= step) ?? ["minute", 60];
    element.textContent = spoken.format(Math.round(seconds / length), unit);
  }
}

refresh();
setInterval(refresh, 30000);
document.addEventListener("htmx:after:swap", refresh);

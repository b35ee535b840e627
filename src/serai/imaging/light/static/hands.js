// Fingers, mouse, wheel and keys, turned into what the reader means.

const KEYS = {
  ArrowDown: ["leaf", 1], ArrowUp: ["leaf", -1], ArrowRight: ["leaf", 1], ArrowLeft: ["leaf", -1],
  PageDown: ["leaf", 10], PageUp: ["leaf", -10], Home: ["leaf", -Infinity], End: ["leaf", Infinity],
  r: ["turn"], h: ["mirror"], v: ["upend"], i: ["invert"], t: ["text"], x: ["unmeasure"], q: ["exact"], 0: ["reset"],
  "+": ["nearer"], "=": ["nearer"], "-": ["farther"], " ": ["play"],
  w: ["tool", "window"], m: ["tool", "move"], l: ["tool", "measure"], s: ["tool", "leaf"],
  1: ["preset", 0], 2: ["preset", 1], 3: ["preset", 2], 4: ["preset", 3], 5: ["preset", 4], 6: ["preset", 5],
};
const PER_PICTURE = 14;
const DOUBLE_MS = 300;

export function listen(stage, meant) {
  const fingers = new Map();
  let tool = "leaf";
  let rest = 0;
  let last = 0;
  let two = null;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest("select, input, button");
    if (typing && (event.key.startsWith("Arrow") || event.key === " ")) return;
    const wish = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!wish) return;
    event.preventDefault();
    meant(...wish);
  });

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey) meant("zoom", Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
    else meant("leaf", Math.sign(event.deltaY));
  }, { passive: false });

  stage.addEventListener("contextmenu", (event) => event.preventDefault());

  stage.addEventListener("pointerdown", (event) => {
    if (event.target.matches("input")) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, event);
    rest = 0;
    two = fingers.size === 2 ? pair(fingers) : null;
    tool = event.button === 2 ? "window" : event.button === 1 ? "move" : stage.dataset.tool ?? "leaf";
    if (fingers.size === 1 && tool === "measure") meant("from", event.clientX, event.clientY);
    if (fingers.size === 1 && event.pointerType === "touch") twice(event);
  });

  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 2) pinch();
    else drag(event.clientX - before.clientX, event.clientY - before.clientY, event);
  });

  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      two = null;
    });
  }

  function drag(across, down, event) {
    if (tool === "window") meant("contrast", across, down);
    else if (tool === "move") meant("move", across, down);
    else if (tool === "measure") meant("to", event.clientX, event.clientY);
    else {
      rest += down;
      const steps = Math.trunc(rest / PER_PICTURE);
      rest -= steps * PER_PICTURE;
      if (steps) meant("leaf", steps);
    }
  }

  function pinch() {
    const now = pair(fingers);
    if (two) {
      meant("zoom", now.apart / (two.apart || 1), now.x, now.y);
      meant("move", now.x - two.x, now.y - two.y);
    }
    two = now;
  }

  function twice(event) {
    if (event.timeStamp - last < DOUBLE_MS) meant("fit");
    last = event.timeStamp;
  }
}

function pair(fingers) {
  const [one, other] = [...fingers.values()];
  return {
    apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
    x: (one.clientX + other.clientX) / 2,
    y: (one.clientY + other.clientY) / 2,
  };
}

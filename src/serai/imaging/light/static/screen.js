// The picture on the screen: greys through a window, turned and moved, with measurements on it.

import { remapped, tableOf } from "./values.js";

export class Screen {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.source = document.createElement("canvas");
    this.lines = [];
    this.drawn = null;
    this.reset();
  }

  reset() {
    Object.assign(this, { zoom: 1, x: 0, y: 0, turns: 0, mirrored: false, upended: false, invert: false });
  }

  // `full` is the size of the picture itself, whatever the size of what is here of it.
  show(picture, window, full, spacing) {
    this.full = full;
    this.spacing = spacing;
    if (picture) this.develop(picture, window);
    this.paint(Boolean(picture));
  }

  develop(picture, window) {
    const mark = `${window} ${this.invert}`;
    if (this.drawn?.picture === picture && this.drawn.mark === mark) return;
    this.drawn = { picture, mark };
    this.source.width = picture.columns;
    this.source.height = picture.rows;
    const context = this.source.getContext("2d");
    if (picture.bitmap) {
      context.filter = this.invert ? "invert(1)" : "none";
      context.drawImage(picture.bitmap, 0, 0);
      return;
    }
    const table = picture.values
      ? tableOf(picture, window ?? picture.window ?? between(picture.range), this.invert)
      : remapped(picture.window, window, this.invert, picture.inverted);
    const image = context.createImageData(picture.columns, picture.rows);
    const out = new Uint32Array(image.data.buffer);
    const from = picture.values ?? picture.greys;
    for (let at = 0; at < out.length; at++) {
      const shade = table[from[at] & 0xffff];
      out[at] = 0xff000000 | (shade << 16) | (shade << 8) | shade;
    }
    context.putImageData(image, 0, 0);
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.ratio = ratio;
  }

  // From the picture's own pixels to the screen's.
  matrix() {
    const { width, height } = this.canvas;
    const [tall, wide] = this.spacing ?? [1, 1];
    const stretch = tall / wide;
    const sideways = this.turns % 2 === 1;
    const across = sideways ? this.full.rows * stretch : this.full.columns;
    const down = sideways ? this.full.columns : this.full.rows * stretch;
    const scale = Math.min(width / across, height / down) * this.zoom;
    return new DOMMatrix()
      .translateSelf(width / 2 + this.x * this.ratio, height / 2 + this.y * this.ratio)
      .scaleSelf(this.mirrored ? -scale : scale, this.upended ? -scale : scale)
      .rotateSelf(90 * this.turns)
      .scaleSelf(1, stretch)
      .translateSelf(-this.full.columns / 2, -this.full.rows / 2);
  }

  paint(there) {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (!there || !this.full.columns) return;
    context.setTransform(this.matrix());
    context.imageSmoothingQuality = "high";
    context.drawImage(this.source, 0, 0, this.full.columns, this.full.rows);
    context.setTransform(1, 0, 0, 1, 0, 0);
    this.measured();
  }

  measured() {
    const { context } = this;
    context.lineWidth = 1.5 * this.ratio;
    context.font = `${13 * this.ratio}px system-ui, sans-serif`;
    const matrix = this.matrix();
    for (const line of this.lines.filter((each) => each.at === this.at)) {
      const [from, to] = [line.from, line.to].map((point) => matrix.transformPoint(point));
      context.strokeStyle = context.fillStyle = "#f6d48c";
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      context.stroke();
      context.shadowColor = "#000";
      context.shadowBlur = 3;
      context.fillText(this.length(line), to.x + 6 * this.ratio, to.y - 4 * this.ratio);
      context.shadowBlur = 0;
    }
  }

  length({ from, to }) {
    const [tall, wide] = this.spacing ?? [1, 1];
    const size = Math.hypot((to.x - from.x) * wide, (to.y - from.y) * tall);
    return `${size.toFixed(1)} ${this.spacing ? "mm" : "px"}`;
  }

  // The place in the picture under a place on the page.
  under(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const point = new DOMPoint((clientX - box.left) * this.ratio, (clientY - box.top) * this.ratio);
    const { x, y } = this.matrix().inverse().transformPoint(point);
    return { x, y };
  }

  // Nearer or farther, with the place under the fingers staying there.
  zoomAt(factor, clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const wanted = Math.min(20, Math.max(0.3, this.zoom * factor));
    const by = wanted / this.zoom;
    const [x, y] = [clientX - box.left - box.width / 2, clientY - box.top - box.height / 2];
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.zoom = wanted;
  }
}

function between([low, high]) {
  return [(low + high) / 2, Math.max(high - low, 1)];
}

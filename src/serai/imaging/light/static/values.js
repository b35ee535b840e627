// Values exactly as stored, as `pictures.py` packs them: a described head, then two byte planes.

export function unpacked(buffer) {
  const head = new DataView(buffer).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, head)));
  const count = facts.rows * facts.columns;
  const low = new Uint8Array(buffer, 4 + head, count);
  const high = new Uint8Array(buffer, 4 + head + count, count);
  const values = facts.signed ? new Int16Array(count) : new Uint16Array(count);
  for (let row = 0, at = 0; row < facts.rows; row++) {
    let value = row ? values[at - facts.columns] : 0;
    for (const end = at + facts.columns; at < end; at++) {
      const folded = low[at] | (high[at] << 8);
      value = (value + ((folded >>> 1) ^ -(folded & 1))) & 0xffff;
      values[at] = value;
    }
  }
  return { ...facts, values };
}

// PS3.3 §C.11.2.1.2.1: the grey of a value between the ends of a window.
export function grey(value, centre, width) {
  const part = width <= 1 ? (value > centre - 0.5 ? 1 : 0) : (value - (centre - 0.5)) / (width - 1) + 0.5;
  return part <= 0 ? 0 : part >= 1 ? 255 : Math.round(part * 255);
}

// One grey for each of the 65536 bit patterns a value can have.
export function tableOf(picture, [centre, width], invert) {
  const table = new Uint8Array(65536);
  const turned = picture.inverted !== invert;
  for (let bits = 0; bits < 65536; bits++) {
    const value = picture.signed && bits > 32767 ? bits - 65536 : bits;
    const shade = grey(value * picture.slope + picture.intercept, centre, width);
    table[bits] = turned ? 255 - shade : shade;
  }
  return table;
}

// From greys drawn with one window to those another window would give, as far as they tell.
export function remapped(drawn, wanted, invert, inverted) {
  const table = new Uint8Array(256);
  for (let shade = 0; shade < 256; shade++) {
    let now = inverted ? 255 - shade : shade;
    if (drawn && wanted && (drawn[0] !== wanted[0] || drawn[1] !== wanted[1])) {
      now = grey((now / 255 - 0.5) * (drawn[1] - 1) + drawn[0] - 0.5, wanted[0], wanted[1]);
    }
    table[shade] = inverted !== invert ? 255 - now : now;
  }
  return table;
}

// The words of the page: its template has them, so that they are translated with it.

const UNSEEN =
  /[\p{C}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\u{e0100}-\u{e01ef}]|(?! )\p{Zs}/gu;

/** Return text of others with an escape for every character that nobody would see as itself. */
export function shown(text) {
  return String(text).replace(UNSEEN, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
}

/** Return the text called `name`, with `{key}` replaced by each of `values`, made fit to be shown. */
export function text(name, values = {}) {
  const holder = document.getElementById("texts").content.querySelector(`[data-text="${name}"]`);
  const words = holder.textContent.trim().replace(/\s+/g, " ");
  return words.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? shown(values[key]) : whole));
}

// Strict JSON and its canonical form (RFC 8785), as pipelines/evidence/strictjson.py reads it.
//
// RFC 8259 leaves duplicate keys and large numbers to the reader; two readers then see two documents
// in one signature. Here they are refused, with whatever RFC 8785 cannot write.
import { textOf } from "./bytes.js";
import { Wrong } from "./errors.js";

const MAX_DEPTH = 32;
const MAX_NODES = 500000;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const BLANK = /[ \t\n\r]*/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** A number that was written with a fraction or an exponent. */
export class Fraction {
  constructor(value) {
    this.value = value;
  }
}

/**
 * Read one JSON object of at most `limit` bytes and `nodes` values; `what` names it in messages.
 *
 * Numbers with a fraction or exponent are refused unless `floats`. Throws `Wrong`. Objects have no
 * prototype, so that no key means anything but itself.
 */
export function readJson(bytes, what, limit, { nodes = MAX_NODES, floats = false } = {}) {
  if (bytes.length > limit) throw new Wrong(`${what} is malformed: more than ${limit} bytes`);
  const text = textOf(bytes);
  if (text === null) throw new Wrong(`${what} is malformed: it is not UTF-8`);
  const value = new JsonReader(text, what, nodes, floats).read();
  if (!isObject(value)) throw new Wrong(`${what} is malformed: it is no JSON object`);
  return value;
}

/** Say whether a value of a document is an object. */
export function isObject(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Fraction)
  );
}

/** Return the canonical JSON (RFC 8785) of a document without fractions, as text. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort(); // by UTF-16 units, as RFC 8785 has it
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

class JsonReader {
  constructor(text, what, nodes, floats) {
    Object.assign(this, { text, what, nodes, floats, at: 0, count: 0 });
  }

  read() {
    this.skip();
    const value = this.value(0);
    this.skip();
    if (this.at !== this.text.length) this.refuse("something behind the document");
    return value;
  }

  refuse(why) {
    throw new Wrong(`${this.what} is malformed: ${why} at character ${this.at}`);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  skip() {
    this.match(BLANK);
  }

  /** Take a character if it is the next one, and the blanks behind it. */
  take(character) {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    this.skip();
    return true;
  }

  counted(depth) {
    this.count += 1;
    if (depth >= MAX_DEPTH) this.refuse(`more than ${MAX_DEPTH} levels`);
    if (this.count > this.nodes) this.refuse(`more than ${this.nodes} values`);
  }

  value(depth) {
    const next = this.text[this.at];
    if (next === "{") return this.object(depth + 1);
    if (next === "[") return this.list(depth + 1);
    if (next === '"') return this.string();
    for (const [word, value] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  object(depth) {
    const found = Object.create(null);
    this.take("{");
    if (this.take("}")) return found;
    do {
      if (this.text[this.at] !== '"') this.refuse("a key that is no text");
      const name = this.string();
      this.skip();
      if (!this.take(":")) this.refuse("a key without a value");
      if (name in found) this.refuse("a key that occurs twice in one object");
      this.counted(depth);
      this.counted(depth); // a key counts like a value
      found[name] = this.value(depth);
      this.skip();
    } while (this.take(","));
    if (!this.take("}")) this.refuse("an object without an end");
    return found;
  }

  list(depth) {
    const found = [];
    this.take("[");
    if (this.take("]")) return found;
    do {
      this.counted(depth);
      found.push(this.value(depth));
      this.skip();
    } while (this.take(","));
    if (!this.take("]")) this.refuse("a list without an end");
    return found;
  }

  string() {
    this.at += 1;
    let found = "";
    for (;;) {
      found += this.match(PLAIN)[0];
      const next = this.text[this.at];
      this.at += 1;
      if (next === '"') break;
      if (next !== "\\") this.refuse("a text without an end, or with a control character");
      found += this.escape();
    }
    if (/[\ud800-\udfff]/u.test(found)) this.refuse("text that is not Unicode"); // lone surrogates
    return found;
  }

  escape() {
    const letter = this.text[this.at];
    this.at += 1;
    if (letter === "u") {
      const digits = this.text.slice(this.at, this.at + 4);
      if (!/^[0-9A-Fa-f]{4}$/.test(digits)) this.refuse("an escape that is none");
      this.at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (letter === undefined || !Object.hasOwn(ESCAPES, letter))
      this.refuse("an escape that is none");
    return ESCAPES[letter];
  }

  number() {
    const found = this.match(NUMBER);
    if (!found) this.refuse("no value");
    const value = Number(found[0]);
    if (found[1] === undefined && found[2] === undefined) {
      if (!Number.isSafeInteger(value)) this.refuse("a whole number beyond 2^53");
      return value;
    }
    if (!this.floats) this.refuse("a number with a fraction");
    if (!Number.isFinite(value)) this.refuse("a number out of range");
    return new Fraction(value);
  }
}

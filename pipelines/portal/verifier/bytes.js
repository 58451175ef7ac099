// Bytes and their texts (UTF-8, hexadecimal, base64), each in its canonical form only; SHA-256.
import { Unchecked, Wrong } from "./errors.js";

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const SIXBITS = new Int16Array(128).fill(-1);
for (let value = 0; value < 64; value += 1) SIXBITS[ALPHABET.charCodeAt(value)] = value;

/** Return the UTF-8 of a text. */
export function utf8(text) {
  return ENCODER.encode(text);
}

/** Return the text of UTF-8 bytes; null for bytes that are none. A byte order mark is kept. */
export function textOf(bytes) {
  try {
    return DECODER.decode(bytes);
  } catch {
    return null;
  }
}

/** Return the parts, bytes or texts, one after the other. */
export function joined(...parts) {
  const pieces = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Say whether two runs of bytes are the same. */
export function sameBytes(one, two) {
  return one.length === two.length && one.every((byte, index) => byte === two[index]);
}

/** Return lower-case hexadecimal digits. */
export function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return the bytes of hexadecimal digits, which were checked before. */
export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Return standard base64 (RFC 4648, section 4), padded. */
export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const left = bytes.length - at;
    text += ALPHABET[a >> 2] + ALPHABET[((a & 3) << 4) | (b >> 4)];
    text += left > 1 ? ALPHABET[((b & 15) << 2) | (c >> 6)] : "=";
    text += left > 2 ? ALPHABET[c & 63] : "=";
  }
  return text;
}

/** Return the bytes of standard base64, padded and without stray bits; null for anything else. */
export function fromBase64(text) {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let index = 0; index < text.length - padding; index += 1) {
    const code = text.charCodeAt(index);
    const value = code < 128 ? SIXBITS[code] : -1;
    if (value < 0) return null;
    held = ((held << 6) | value) & 0xfff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at] = (held >> bits) & 255;
      at += 1;
    }
  }
  const stray = held & ((1 << bits) - 1);
  return stray === 0 ? bytes : null;
}

/** Say whether text is what Python calls printable: no control, format or blank but the space. */
export function isPrintable(text) {
  return /^(?: |[^\p{C}\p{Z}])*$/u.test(text);
}

/** Count the characters of a text, as Python does. */
export function lengthOf(text) {
  return /[\ud800-\udfff]/.test(text) ? [...text].length : text.length;
}

/** Compare two texts by their code points, for sorting as Python does. */
export function byCodePoints(one, two) {
  const [a, b] = [[...one], [...two]];
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const step = a[index].codePointAt(0) - b[index].codePointAt(0);
    if (step !== 0) return step;
  }
  return a.length - b.length;
}

/** Return WebCrypto; throws `Unchecked` where the browser does not offer it to this page. */
export function webCrypto() {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle)
    throw new Unchecked(
      "this browser offers no cryptography to this page; open it by https or from a file",
    );
  return subtle;
}

/** Return the SHA-256 of bytes, as 32 bytes. */
export async function sha256Bytes(bytes) {
  return new Uint8Array(await webCrypto().digest("SHA-256", bytes));
}

/** Return the SHA-256 of bytes, as hexadecimal digits. */
export async function sha256(bytes) {
  return hexOf(await sha256Bytes(bytes));
}

/** Return the HMAC-SHA256 (RFC 2104) of bytes, as hexadecimal digits. */
export async function hmacSha256(key, bytes) {
  const subtle = webCrypto();
  const made = await subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return hexOf(new Uint8Array(await subtle.sign("HMAC", made, bytes)));
}

/** Return the text of bytes that have to be UTF-8; throws `Wrong`. */
export function needText(bytes, what) {
  const text = textOf(bytes);
  if (text === null) throw new Wrong(`${what} is not UTF-8`);
  return text;
}

// Signed notes, checkpoints and cosignatures (C2SP signed-note, tlog-checkpoint, tlog-cosignature).
//
// Reading is strict, as pipelines/log has it; only `openCheckpoint` verifies signatures.
import {
  fromBase64,
  hexOf,
  isPrintable,
  joined,
  needText,
  sha256Bytes,
  toBase64,
  utf8,
} from "./bytes.js";
import { need, shown, Wrong } from "./errors.js";
import { ed25519Key, verifies } from "./keys.js";

export const LOG_KEY = 0x01;
export const WITNESS_KEY = 0x04;
export const MAX_NOTE = 256 * 2 ** 10;
const MAX_SIGNATURES = 64;
const MAX_NAME = 512;
const EMPTY_ROOT = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="; // SHA-256 of nothing
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;
const BLANK = /[\p{White_Space}\u001c-\u001f]/u; // as Python has it
const DASH = "\u2014";

/** Return a key of notes: a name, an algorithm, and an Ed25519 key; throws `Wrong`. */
export async function noteKey(name, algorithm, key) {
  needName(name);
  const nameable = isPrintable(name) && utf8(name).length <= MAX_NAME;
  need(
    nameable,
    "the name of a verifier key cannot be shown",
    name,
    `1 to ${MAX_NAME} printable bytes`,
  );
  const material = joined(Uint8Array.of(algorithm), key.raw);
  const id = hexOf((await sha256Bytes(joined(`${name}\n`, material))).subarray(0, 4));
  return { name, algorithm, key, id, vkey: `${name}+${id}+${toBase64(material)}` };
}

/** Read `<name>+<id>+<base64 of algorithm and key>`, a key of `algorithm`; throws `Wrong`. */
export async function readNoteKey(vkey, algorithm) {
  const parts = /^([^+]*)\+([^+]*)\+([^]*)$/.exec(typeof vkey === "string" ? vkey : "");
  need(parts !== null, "a verifier key has not three parts", vkey, "name+id+key");
  const data = fromBase64(parts[3]);
  need(
    data !== null && data.length === 33,
    "the key of a verifier key is malformed",
    vkey,
    "base64 of 33 bytes",
  );
  need(data[0] === algorithm, "a key is for another use", `type ${data[0]}`, `type ${algorithm}`);
  const key = await ed25519Key(data.subarray(1), "a verifier key");
  const found = await noteKey(parts[1], algorithm, key);
  need(found.id === parts[2], "a verifier key has the id of another one", parts[2], found.id);
  return found;
}

/** Read a note, verifying nothing: {text, signatures: [{name, id, data}]}; throws `Wrong`. */
export function readNote(bytes) {
  const whole = needLines(bytes, "the note", MAX_NOTE);
  const blank = whole.lastIndexOf("\n\n");
  need(blank >= 0, "the note is not signed", "no blank line", "signatures");
  const below = whole.slice(blank + 2);
  need(below.endsWith("\n"), "the note ends within a line");
  const lines = below.slice(0, -1).split("\n");
  need(
    lines.length <= MAX_SIGNATURES,
    "the note has too many signatures",
    lines.length,
    `at most ${MAX_SIGNATURES}`,
  );
  return { text: whole.slice(0, blank + 1), signatures: lines.map(readSignatureLine) };
}

/**
 * Return the checkpoint of a log, signed by its key: {origin, size, root, extensions, cosignatures}.
 *
 * Cosignatures of `witnesses` are verified and returned; a policy decides how many are needed.
 * Throws `Wrong`, also where the signature of a known key is bad.
 */
export async function openCheckpoint(bytes, { origin, keys, witnesses = [] }) {
  const known = needDistinct([...keys, ...witnesses]);
  const note = readNote(bytes);
  const found = new Map();
  for (const { name, id, data } of note.signatures) {
    const key = known.get(`${name} ${id}`);
    if (key === undefined) continue;
    const time = await checkSignature(key, note.text, data);
    if (!found.has(key)) found.set(key, time);
  }
  need(
    found.size > 0,
    "the note is not signed by a known key",
    note.signatures.map((s) => s.name).join(", "),
  );
  need(
    keys.some((key) => found.has(key)),
    "the checkpoint is cosigned, but not signed by its log",
  );
  const checkpoint = readCheckpoint(note.text);
  need(checkpoint.origin === origin, "the checkpoint is of another log", checkpoint.origin, origin);
  const cosigned = witnesses.filter((key) => found.has(key));
  return { ...checkpoint, cosignatures: cosigned.map((key) => ({ key, time: found.get(key) })) };
}

/** Return a decimal number, written without sign or leading zeros; throws `Wrong`. */
export function needNumber(text, what) {
  const found = /^(?:0|[1-9][0-9]{0,18})$/.test(text) ? Number(text) : NaN;
  need(
    Number.isSafeInteger(found),
    `${what} is no number in its canonical form`,
    text,
    "0 to 2^53 - 1 in decimal",
  );
  return found;
}

/** Return the bytes of base64 in its canonical form; throws `Wrong`. */
export function needBase64(text, what) {
  const found = fromBase64(text);
  need(found !== null, `${what} is not base64 in its canonical form`, text);
  return found;
}

/** Return UTF-8 text of at most `limit` bytes without control characters but newline. */
export function needLines(bytes, what, limit) {
  need(bytes.length <= limit, `${what} is too large`, `${bytes.length} bytes`, `at most ${limit}`);
  const text = needText(bytes, what);
  need(!CONTROL.test(text), `${what} has a control character`, null, "none but newline");
  return text;
}

function readCheckpoint(text) {
  const lines = text.slice(0, -1).split("\n");
  need(
    text.endsWith("\n") && lines.length >= 3,
    "the checkpoint is incomplete",
    `${lines.length} lines`,
  );
  const [origin, count, encoded, ...extensions] = lines;
  need(origin !== "" && !extensions.includes(""), "the checkpoint has an empty line");
  const size = needNumber(count, "the size of the checkpoint");
  const root = needBase64(encoded, "the root of the checkpoint");
  need(root.length === 32, "the root of the checkpoint has another length", root.length, 32);
  need(
    size !== 0 || encoded === EMPTY_ROOT,
    "the root of the checkpoint is not that of an empty log",
  );
  return { origin, size, root, extensions };
}

function readSignatureLine(line) {
  const parts = line.split(" ");
  need(parts.length === 3 && parts[0] === DASH, "a line below the note is no signature", line);
  needName(parts[1]);
  const data = needBase64(parts[2], "a signature");
  need(data.length > 4, "a signature is cut off", `${data.length} bytes`);
  return { name: parts[1], id: hexOf(data.subarray(0, 4)), data: data.subarray(4) };
}

/** Require a good signature over the text of a note; returns the time of a cosignature. */
async function checkSignature(key, text, data) {
  let [message, signature, time] = [utf8(text), data, null];
  if (key.algorithm === WITNESS_KEY) {
    need(data.length === 72, "a cosignature has another length", data.length, 72);
    const moment = BigInt(`0x${hexOf(data.subarray(0, 8))}`);
    need(moment < 2n ** 63n, "a cosignature has a time that does not exist");
    message = utf8(`cosignature/v1\ntime ${moment}\n${text}`);
    [signature, time] = [data.subarray(8), Number(moment)];
  }
  const good = await verifies(key.key, signature, message);
  if (!good) throw new Wrong(`the signature of ${shown(key.name)} does not fit the text`);
  return time;
}

function needDistinct(keys) {
  const known = new Map();
  for (const key of keys) {
    const name = `${key.name} ${key.id}`;
    need(
      (known.get(name)?.vkey ?? key.vkey) === key.vkey,
      "two keys share a name and an id",
      key.vkey,
    );
    known.set(name, key);
  }
  need(known.size > 0, "there is no key to open the note with");
  return known;
}

function needName(name) {
  const usable = name !== "" && !name.includes("+") && !BLANK.test(name) && !CONTROL.test(name);
  need(
    usable,
    "the name of a key cannot be used in a note",
    name,
    "text without spaces and plus signs",
  );
}

// The form of a bundle: one plain ustar, and the members that it may have.
//
// The rules are those of pipelines/bundle/layout.py. Reading accepts what writing would have written
// and nothing else, so that no byte of a bundle goes unchecked.
import { byCodePoints, joined, sameBytes, sha256, textOf, utf8 } from "./bytes.js";
import { need, shown, Wrong } from "./errors.js";

const BLOCK = 512;
const MAX_MEMBERS = 25000;
const MAX_NAME = 100;
const MAX_BUNDLE = 256 * 2 ** 20;
const END = new Uint8Array(2 * BLOCK);
export const MEDIA_TYPE = "application/vnd.samebits.bundle.v2+tar";
export const MAX_ENVELOPE = 12 * 2 ** 20;
export const MAX_CARD = 64 * 2 ** 10;
export const MAX_REPORT = 32 * 2 ** 20;
export const MAX_KEY_FILE = 64 * 2 ** 10;
const PLACES = [
  [/^center\.json$/, MAX_CARD],
  [/^report\.json$/, MAX_REPORT],
  [/^keys\/(?:statements|log|witness)\.pub$/, MAX_KEY_FILE],
  [/^statements\/[a-z][a-z-]{0,30}-[1-9][0-9]{0,4}\.dsse\.json$/, MAX_ENVELOPE],
  [/^evidence\/[0-9a-f]{64}$/, 64 * 2 ** 20],
  [/^log\/(?:0|[1-9][0-9]{0,15})\.leaf$/, 4096],
  [/^log\/(?:0|[1-9][0-9]{0,15})\.tlog-proof$/, 256 * 2 ** 10 + 2 * 64 * 2 ** 10],
  [/^log\/(?:0|[1-9][0-9]{0,15})\.dsse\.json$/, MAX_ENVELOPE],
  [/^heartbeat\.dsse\.json$/, MAX_ENVELOPE],
  [/^policy\.dsse\.json$/, 4 * 2 ** 20],
];
const NEEDED = ["center.json", "keys/statements.pub", "report.json"];

/** Read the form of a bundle: {sums, members by name}; throws `Wrong`. Digests are not checked. */
export function readBundle(bytes) {
  need(
    bytes.length <= MAX_BUNDLE,
    "the bundle is malformed",
    "more",
    `at most ${MAX_BUNDLE} bytes`,
  );
  const mark = utf8(`${MEDIA_TYPE}\n`);
  const starts = sameBytes(bytes.subarray(0, 9), utf8("mimetype\0"));
  const marked = sameBytes(bytes.subarray(BLOCK, BLOCK + mark.length), mark);
  need(starts && marked, "this is no bundle", "something else", `a file that says ${MEDIA_TYPE}`);
  const found = readTar(bytes);
  const names = found.map(([name]) => name);
  const others = names.slice(2);
  const sorted = [...new Set(others)].sort(byCodePoints);
  const inOrder =
    names[0] === "mimetype" && names[1] === "SHA256SUMS" && others.join("\n") === sorted.join("\n");
  need(inOrder, "the members of the bundle are in another order, or one is there twice");
  need(sameBytes(found[0][1], mark), "the bundle has a longer media type", null, MEDIA_TYPE);
  return { sums: found[1][1], members: new Map(found.slice(2)) };
}

/** Require the members of this version: none unknown, none too large, none missing. */
export function needMembers(members) {
  for (const [name, data] of members) {
    const place = PLACES.find(([pattern]) => pattern.test(name));
    need(
      place !== undefined,
      "the bundle has an unknown member",
      name,
      `the members of ${MEDIA_TYPE}`,
    );
    need(
      data.length <= place[1],
      `${name} is too large`,
      `${data.length} bytes`,
      `at most ${place[1]}`,
    );
  }
  const statements = [...members.keys()].some((name) => name.startsWith("statements/"));
  const missing = NEEDED.filter((name) => !members.has(name));
  need(
    missing.length === 0 && statements,
    "the bundle is incomplete",
    `no ${missing[0] ?? "statements"}`,
  );
}

/** Return the list of digests of members that are in order, in the format of sha256sum. */
export async function sumsOf(members) {
  const digests = await Promise.all([...members.values()].map((data) => sha256(data)));
  return utf8([...members.keys()].map((name, index) => `${digests[index]}  ${name}\n`).join(""));
}

/** Return the members of a plain ustar file in their order; throws `Wrong`. */
function readTar(bytes) {
  const found = [];
  let offset = 0;
  while (bytes.subarray(offset, offset + BLOCK).some((byte) => byte !== 0)) {
    need(
      found.length < MAX_MEMBERS,
      "the bundle has too many members",
      null,
      `at most ${MAX_MEMBERS}`,
    );
    const { name, size } = readHeader(bytes.subarray(offset, offset + BLOCK), offset);
    const start = offset + BLOCK;
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
    need(offset <= bytes.length, "the bundle is cut off", `its end within ${name}`);
    const padded = bytes.subarray(start + size, offset).every((byte) => byte === 0);
    need(padded, `bytes behind the end of ${name}`, null, "zeros");
    found.push([name, bytes.subarray(start, start + size)]);
  }
  const ended = sameBytes(bytes.subarray(offset), END);
  need(
    ended,
    `the bundle has something else at byte ${offset}`,
    null,
    "two empty blocks, and its end",
  );
  return found;
}

function readHeader(block, offset) {
  const raw = block.subarray(0, MAX_NAME);
  const end = raw.findLastIndex((byte) => byte !== 0) + 1;
  const name = textOf(raw.subarray(0, end));
  const digits = textOf(block.subarray(124, 135)) ?? "";
  if (name !== null && /^[ -~]+$/.test(name) && /^[0-7]{11}$/.test(digits)) {
    const size = Number.parseInt(digits, 8);
    if (sameBytes(headerOf(name, size), block)) return { name, size };
  }
  throw new Wrong(
    `another header at byte ${shown(offset)}; expected a regular file in plain ustar`,
  );
}

function headerOf(name, size) {
  const octal = (number, digits) => number.toString(8).padStart(digits, "0");
  const header = joined(
    name.padEnd(100, "\0"),
    "0000644\u0000" + "0000000\u0000".repeat(2), // mode, user, group
    `${octal(size, 11)}\0`,
    `${octal(0, 11)}\0`, // time
    " ".repeat(8), // the checksum, as it is counted
    "0".padEnd(101, "\0"), // a regular file, no link
    "ustar\u000000".padEnd(BLOCK - 257, "\0"),
  );
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(utf8(`${octal(sum, 6)}\0 `), 148);
  return header;
}

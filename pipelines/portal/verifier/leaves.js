// The leaves of a log, their chain, and their proofs (pipelines/log/leaf.py, C2SP tlog-proof).
import { fromHex, hexOf, sha256, textOf, utf8 } from "./bytes.js";
import { need, Wrong } from "./errors.js";
import { leafHash } from "./merkle.js";
import { MAX_NOTE, needBase64, needLines, needNumber, readNote } from "./notes.js";

const MAX_EXTRA = 64 * 2 ** 10;
const MAX_HASHES = 63;
const WORD = "[!#-\\[\\]-~]{1,256}"; // printable ASCII that JSON does not escape
const HASH = "[0-9a-f]{64}";
const CENTER = '\\{"center":"(?<center>[a-z0-9][a-z0-9-]{0,62})"';
const RELEASE = '"release":"(?<release>[A-Za-z0-9][A-Za-z0-9._+~:!@/-]{0,511})"';
const SEQUENCE = '"sequence":(?<sequence>0|[1-9][0-9]{0,14}),"v":1\\}';
const STATEMENT = new RegExp(
  `^${CENTER},"keyid":"(?<keyid>${WORD})","pae":"(?<pae>${HASH})","predicateType":"(?<predicateType>${WORD})",` +
    `"previous":"(?<previous>${HASH})",${RELEASE},${SEQUENCE}$`,
);
const COMMITMENT = new RegExp(
  `^${CENTER},"claim":"(?<claim>${HASH})",${RELEASE},` +
    `"run":"(?<run>[A-Za-z0-9][A-Za-z0-9._-]{0,127})","seal":"(?<seal>${HASH})",${SEQUENCE}$`,
);

/** Read a leaf: its fields, `hash` in hex, and for a commitment `committed`; throws `Wrong`. */
export async function readLeaf(bytes) {
  const text = textOf(bytes) ?? "";
  const found = STATEMENT.exec(text) ?? COMMITMENT.exec(text);
  need(
    found !== null && bytes.length <= 4096,
    "a leaf of the log is malformed",
    text.slice(0, 120),
    "canonical JSON, version 1",
  );
  const fields = {
    ...found.groups,
    sequence: Number(found.groups.sequence),
    hash: hexOf(await leafHash(bytes)),
  };
  if (fields.run === undefined) return fields;
  return { ...fields, committed: await commitmentDigest(fields.run, fields.claim, fields.seal) };
}

/** Return the SHA-256 of what a run commits to. */
export function commitmentDigest(run, claim, seal) {
  return sha256(utf8(`${run} ${claim} ${seal}`));
}

/** Read a proof, verifying nothing: {index, hashes, checkpoint: bytes, note: text, extra}. */
export function readProof(bytes) {
  const whole = needLines(bytes, "the proof", MAX_NOTE + 2 * MAX_EXTRA);
  const blank = whole.indexOf("\n\n");
  need(blank >= 0, "the proof has no checkpoint", "no blank line");
  const [header, ...lines] = whole.slice(0, blank).split("\n");
  need(header === "c2sp.org/tlog-proof@v1", "the proof is of another form", header);
  let extra = null;
  if (lines[0]?.startsWith("extra ")) {
    extra = needBase64(lines.shift().slice("extra ".length), "the extra data of the proof");
    need(
      extra.length > 0 && extra.length <= MAX_EXTRA,
      "the proof has too much or empty extra data",
    );
  }
  need(lines[0]?.startsWith("index ") === true, "the proof does not say which leaf it is of");
  const index = needNumber(lines.shift().slice("index ".length), "the index of the proof");
  need(lines.length <= MAX_HASHES, "the proof has too many hashes", lines.length);
  const hashes = lines.map((line) => needBase64(line, "a hash of the proof"));
  need(
    hashes.every((hash) => hash.length === 32),
    "the proof has a hash of another length",
  );
  const note = whole.slice(blank + 2);
  const checkpoint = utf8(note);
  readNote(checkpoint);
  return { index, hashes, checkpoint, note, extra };
}

/**
 * Require leaves, in their order, to be a chain of one release and center without a gap.
 *
 * `leaves` maps the index of each leaf to its fields. Throws `Wrong`.
 */
export function needChain(leaves, center) {
  const listed = [...leaves];
  const [, first] = listed[0];
  let expected = { sequence: first.sequence, previous: first.previous ?? "" };
  for (const [index, leaf] of listed) {
    const about = leaf.release === first.release && leaf.center === center;
    need(
      about,
      `leaf ${index} is about something else`,
      `${leaf.release} of ${leaf.center}`,
      `${first.release} of ${center}`,
    );
    const what = `a leaf is missing before ${index}`;
    need(
      leaf.sequence === expected.sequence,
      what,
      leaf.sequence,
      expected.sequence,
      "It was left out: ask the center for it, and why",
    );
    const named = leaf.previous === undefined || leaf.previous === expected.previous;
    if (!named) throw new Wrong(`leaf ${index} names another one before it`);
    expected = { sequence: leaf.sequence + 1, previous: leaf.hash };
  }
}

/** Return the bytes of a leaf's hash. */
export function hashOf(leaf) {
  return fromHex(leaf.hash);
}

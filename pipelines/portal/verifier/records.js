// Which envelopes of a bundle hold a statement that counts, and why the others do not.
import { need, Wrong } from "./errors.js";
import { needKeys, signersOf } from "./keys.js";
import { authorOf, readStatement } from "./statements.js";

/**
 * Return the statement in one envelope of a bundle, as {statement, key, index}; or why it does not
 * count, as {excluded, detail}. The reasons are those of pipelines/audit/statement_reader.py.
 */
export async function readRecord(opened, name, envelope) {
  const member = await opened.member();
  const named = envelope.signatures.map((signature) => signature.keyid);
  const known = member.keys.filter(({ key }) => named.includes(key.keyid));
  if (known.length === 0) return { excluded: "unknown-key", detail: named.join(", ") };
  needKeys(known, name);
  const signers = await signersOf(
    envelope,
    known.map(({ key }) => key),
  );
  if (signers.length === 0) return { excluded: "bad-signature", detail: named.join(", ") };
  let statement;
  try {
    statement = await readStatement(envelope.payload, name);
  } catch (error) {
    if (error instanceof Wrong) return { excluded: "unreadable", detail: error.message };
    throw error;
  }
  return placed(opened, statement, envelope, member, signers);
}

async function placed(opened, statement, envelope, member, signers) {
  const index = (await opened.statementLeaves()).get(envelope.digest);
  if (index === undefined) return { excluded: "not-logged", detail: "" };
  if (index >= (await opened.checkpoint()).size)
    return { excluded: "awaiting-witness", detail: `at index ${index}` };
  const signed = member.keys.filter(({ key }) =>
    signers.some((one) => one.material === key.material),
  );
  const valid = signed.filter(
    ({ from, until }) => from <= index && (until === null || index < until),
  );
  if (valid.length === 0) {
    const early = index < Math.min(...signed.map(({ from }) => from));
    return {
      excluded: early ? "key-not-yet" : "key-ended",
      detail: `at index ${index} of its log`,
    };
  }
  const author = authorOf(statement);
  if (author === undefined) return { excluded: "misplaced", detail: "of another kind" };
  if ((author ?? member.id) !== member.id)
    return { excluded: "misplaced", detail: "of another center" };
  const builder = statement.about?.builder ?? member.builder;
  if (builder !== member.builder) return { excluded: "other-builder", detail: builder };
  return { statement, key: valid[0].key, index };
}

/** Throw `Wrong` for the first envelope that does not count for one of `reasons`. */
export async function refuse(opened, what, ...reasons) {
  for (const [name, { excluded, detail }] of await opened.records()) {
    if (!reasons.includes(excluded)) continue;
    const later = excluded === "unreadable" && (await opened.unknown()).has(name); // left to `schema`
    need(later, `${name} ${what}`, detail || null);
  }
}

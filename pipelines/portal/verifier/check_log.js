// Checks of the log: every statement of the run is in it, in order, and none is left out
// (pipelines/bundle/check/log_completeness.py).
import { need, needEqual, sentence, Unchecked, Wrong } from "./errors.js";
import { hashOf, needChain } from "./leaves.js";
import { verifyInclusion } from "./merkle.js";
import { openCheckpoint } from "./notes.js";
import { runFindings } from "./findings.js";

const OMITTED = "It was left out: ask the center for it, and why";

export async function checkLeaves(opened) {
  const names = new Set((await opened.folder("log/")).map(([name]) => name));
  need(
    names.size > 0,
    "the bundle has nothing of the center's log",
    "no leaves",
    "a leaf and a proof for every statement",
  );
  for (const name of names) {
    const stem = name.split(".")[0];
    const whole = names.has(`${stem}.leaf`) && names.has(`${stem}.tlog-proof`);
    need(whole, `${name} stands alone`, null, "a leaf and its proof");
  }
  const leaves = await opened.leaves();
  const notes = new Set();
  for (const [index, { proof }] of leaves) {
    needEqual(`log/${index}.tlog-proof is of another leaf`, proof.index, index);
    need(proof.extra === null, `log/${index}.tlog-proof has data that is not signed`);
    notes.add(proof.note);
  }
  needEqual("the proofs are under several checkpoints", notes.size, 1);
  const indexes = [...leaves.keys()];
  return `${leaves.size} leaves, ${indexes[0]} to ${indexes.at(-1)}`;
}

export async function checkInclusion(opened) {
  const [leaves, key] = [await opened.leaves(), await opened.logKey()];
  const [{ proof: first }] = leaves.values();
  const { size, root } = await openCheckpoint(first.checkpoint, { origin: key.name, keys: [key] });
  for (const [index, { leaf, proof }] of leaves) {
    await verifyInclusion({ leaf: hashOf(leaf), index, size, proof: proof.hashes, root });
  }
  await opened.checkpoint(); // with the cosignatures of witnesses
  const shown = `in the log ${key.name} of ${size} leaves`;
  if ((await opened.policy()) === null) {
    throw new Unchecked(
      sentence(
        `${shown}, signed by a key that is not trusted`,
        key.vkey,
        "a policy that names the log's key",
      ),
    );
  }
  return shown;
}

export async function checkChain(opened) {
  const leaves = new Map([...(await opened.leaves())].map(([index, { leaf }]) => [index, leaf]));
  needChain(leaves, (await opened.card()).id);
  const sequences = [...leaves.values()].map((leaf) => leaf.sequence);
  return `sequence ${sequences[0]} to ${sequences.at(-1)} of the release`;
}

export async function checkLogged(opened) {
  const envelopes = await opened.envelopes();
  const names = new Map([...envelopes].map(([name, envelope]) => [envelope.digest, name]));
  const seen = new Set();
  for (const [index, { leaf }] of await opened.leaves()) {
    if (leaf.pae === undefined) continue;
    const name = names.get(leaf.pae);
    if (name === undefined) {
      throw new Wrong(
        sentence(
          "the log has a statement that the bundle has not",
          `leaf ${index}: ${leaf.predicateType}`,
          null,
          OMITTED,
        ),
      );
    }
    need(!seen.has(name), `${name} is in the log twice`, `again at ${index}`, "one leaf");
    await needLeafOf(opened, name, index, leaf);
    seen.add(name);
  }
  for (const name of names.values()) need(seen.has(name), `${name} is not in the log`);
  const own = [...names.values()].filter((name) => name.startsWith("statements/"));
  return `${own.length} statements, each with its leaf`;
}

/** Require what a leaf says of its statement, and of another run's the name of its leaf. */
async function needLeafOf(opened, name, index, leaf) {
  const record = (await opened.records()).get(name);
  const { signatures } = (await opened.envelopes()).get(name);
  const named = signatures.some((signature) => signature.keyid === leaf.keyid);
  need(named, `leaf ${index} names another key than ${name}`, leaf.keyid);
  // Of an unknown type, or refused by a later check, its leaf is not compared further.
  const type = record.statement?.type ?? (await opened.unknown()).get(name) ?? leaf.predicateType;
  needEqual(`leaf ${index} names another type than ${name}`, leaf.predicateType, type);
  if (name.startsWith("log/"))
    needEqual(`${name} is of another leaf`, name, `log/${index}.dsse.json`);
}

export async function checkCommitment(opened) {
  const { commitments, uncommitted } = await runFindings(opened);
  if (!(await opened.built())) {
    const attempts = await opened.attempts();
    const once = attempts.some(({ predicate }) => predicate.outcome === "BUILT");
    need(commitments.length === 0 || once, "a commitment to a build that never was");
    return "nothing was found, whatever was built or committed to";
  }
  need(
    uncommitted === null,
    "the run did not commit to claim and seal before the shipped files were opened",
    uncommitted,
  );
  return `committed at ${commitments[0].index}, before the shipped files were opened`;
}

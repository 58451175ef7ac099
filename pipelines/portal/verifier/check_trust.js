// Checks of who signed, and whether the reader trusts them (pipelines/bundle/check/reader_trust.py).
//
// A signature counts under a key that the reader brought, or that the reader's policy names, and
// under no other. The policy in the bundle is shown and counts for nothing.
import { hexOf, textOf } from "./bytes.js";
import { needCanonical, needKeyIds } from "./check_members.js";
import { readEnvelope } from "./dsse.js";
import { need, needEqual, NotNeeded, sentence, Unchecked } from "./errors.js";
import { signersOf, verifies } from "./keys.js";
import { refuse } from "./records.js";
import { centerOf, needOperators, readSigned, signedBy, witnessesOf } from "./policy.js";
import { isWitnessed } from "./quorum.js";
import { readStatement } from "./statements.js";
import { same, valueOf } from "./verdict_rules.js";

const HEARTBEAT = "heartbeat.dsse.json";
const POLICY = "policy.dsse.json";
const SKEW = 300; // seconds that the clock of a witness may be ahead

export async function checkPolicy(opened) {
  const [policy, card] = [await opened.policy(), await opened.card()];
  if (policy === null) throw new NotNeeded("no policy was given: keys are trusted one by one");
  const known = centerOf(policy, card.id);
  needEqual("the card names another operator than the policy", card.operator, known.operator);
  needEqual("the card names another region than the policy", card.region, known.region);
  needEqual("the card names another builder than the policy", card.builder_id, known.builder);
  needEqual("the card names another verifier than the policy", card.verifier_id, known.verifier);
  const [log, shown] = [(await opened.logKey()).key, (await opened.keys()).get("log")];
  const equal = shown === undefined || shown.material === log.material;
  need(equal, "the key of the log is another than the policy's", shown?.keyid, log.keyid);
  return `version ${policy.version}, signed by ${policy.threshold} or more of its operators`;
}

export async function checkGivenPolicy(opened) {
  const data = (await opened.members()).get(POLICY);
  if (data === undefined) throw new NotNeeded("the bundle contains no policy");
  const trusted = await opened.signedPolicy();
  if (trusted === null) throw new NotNeeded("the bundle contains a policy, which is not trusted");
  const theirs = await readSigned(data);
  const written = [theirs.envelope.canonical, `${theirs.envelope.canonical}\n`].includes(
    textOf(data),
  );
  need(written, `${POLICY} is not canonical`, null, "canonical JSON (RFC 8785)");
  await needOperators(theirs, theirs.policy, "the policy is not signed by enough of its operators");
  await needEverySignature(theirs, trusted);
  if (theirs.digest === trusted.digest) return "the center has the same one";
  const { version } = trusted.policy;
  if ((await signedBy(theirs, trusted.policy)).length >= trusted.policy.threshold) {
    const what = "the operators of your policy have signed another one of its version";
    need(
      theirs.policy.version !== version,
      what,
      `version ${version}`,
      `one policy of version ${version}`,
    );
  }
  throw new NotNeeded(`the center has version ${theirs.policy.version}; yours counts`);
}

/** Require every signature of an operator that is known to be good, and under its key id. */
async function needEverySignature(theirs, mine) {
  const keys = [...theirs.policy.operators, ...mine.policy.operators].map(
    (operator) => operator.key,
  );
  for (const { keyid, sig } of theirs.envelope.signatures) {
    const named = new Set(keys.filter((key) => key.keyid === keyid).map((key) => key.material));
    const good = new Set();
    for (const key of keys)
      if (await verifies(key, sig, theirs.envelope.pae)) good.add(key.material);
    const equal = named.size === good.size && [...named].every((material) => good.has(material));
    need(
      equal,
      "the policy in the bundle has a wrong signature",
      keyid,
      "those that its operators made",
    );
  }
}

export async function checkSignatures(opened) {
  await refuse(opened, "is not signed by the known keys", "unknown-key", "bad-signature");
  const records = [...(await opened.records()).values()].filter((record) => record.statement);
  const named = [...new Set(records.map(({ key }) => key.keyid.slice(0, 16)))].sort().join(", ");
  if ((await opened.trusted()).length === 0) {
    const what = "signed by the key in the bundle, which is not trusted";
    throw new Unchecked(sentence(what, `key ${named}`, "a policy or a key that you trust"));
  }
  return `${(await opened.envelopes()).size} envelopes signed by the trusted key ${named}`;
}

export async function checkKeyUse(opened) {
  const [key, envelopes] = [(await opened.keys()).get("statements"), await opened.envelopes()];
  for (const [name, record] of await opened.records()) {
    const signer = name.startsWith("log/") && record.statement ? record.key : key;
    const { signatures, pae } = envelopes.get(name);
    const alone = signatures.length === 1 && signatures[0].keyid === signer.keyid;
    const good = alone && (await verifies(signer, signatures[0].sig, pae));
    need(
      good,
      `${name} is not signed by the center's key for statements alone`,
      signatures[0].keyid,
      signer.keyid,
    );
  }
  const trusted = (await opened.trusted()).some((known) => known.material === key.material);
  return `the key for statements on the card is ${trusted ? "trusted and the center's" : "the center's own"}`;
}

export async function checkVersion(opened) {
  const about = [...(await opened.comparisons()), ...(await opened.attempts())];
  const found = about.length ? Math.min(...about.map(({ version }) => version)) : 1;
  const oldest = (await opened.policy())?.min_evidence ?? 1;
  need(
    found >= oldest,
    "the evidence is older than the policy lets count",
    `format version ${found}`,
    `${oldest} or later`,
  );
  return `format version ${found}`;
}

export async function checkBuilder(opened) {
  const { builder_id: expected } = await opened.card();
  await refuse(opened, `is not of builder ${expected}`, "other-builder");
  if ((await opened.policy()) !== null) return `all of builder ${expected}, as the policy names it`;
  const { builder } = opened.trust;
  needEqual("the key is trusted for another builder", expected, builder ?? expected);
  const keys = new Set((await opened.trusted()).map((key) => key.material));
  if (builder === null && keys.size > 1)
    throw new Unchecked("several keys are trusted, and it is not said for which builder");
  return `all of builder ${expected}`;
}

export async function checkKeyTime(opened) {
  await refuse(
    opened,
    "was logged before the start of its key: it does not count yet",
    "key-not-yet",
  );
  await refuse(opened, "was logged after its key has ended", "key-ended");
  if ((await opened.policy()) === null)
    throw new NotNeeded("no policy says for how long a key is valid");
  return "every statement is in the log where its key is valid";
}

export async function checkWitnesses(opened) {
  const policy = await opened.policy();
  if (policy === null) throw new NotNeeded("no policy names witnesses");
  const checkpoint = await opened.checkpoint();
  const resolution = policy.resolutions.find((one) => one.log === checkpoint.origin);
  const tree = { size: checkpoint.size, root: hexOf(checkpoint.root) };
  const accepted = resolution === undefined || same(tree, resolution.accepted);
  need(
    accepted,
    "the log has forked, and the proofs are not of the history that its operators accept",
  );
  const found = await witnessesIn(opened, checkpoint.cosignatures);
  const listed = [...found].sort().join(", ");
  const enough = isWitnessed(policy.quorum, found);
  need(
    enough,
    "the checkpoint has too few witnesses",
    listed || "none",
    `the quorum ${policy.quorum.name} of the policy`,
  );
  if (found.size === 0)
    throw new NotNeeded("the policy requires no witness, and none has cosigned");
  return `witnessed by ${listed}`;
}

export async function checkFresh(opened) {
  await checkAge(opened);
  const data = (await opened.members()).get(HEARTBEAT);
  if (data === undefined) throw notNewest(opened, "no heartbeat says what came later");
  const envelope = await readEnvelope(data, HEARTBEAT);
  const statement = await readStatement(envelope.payload, HEARTBEAT);
  need(statement.kind === "heartbeat", `${HEARTBEAT} is no heartbeat`, statement.type);
  const beat = statement.predicate;
  await needCanonical(opened, HEARTBEAT, envelope);
  const member = await opened.member();
  const signers = await signersOf(
    envelope,
    member.keys.map(({ key }) => key),
  );
  need(signers.length > 0, "the heartbeat is not signed by the known keys");
  needKeyIds(HEARTBEAT, envelope, signers);
  const { id } = await opened.card();
  needEqual("the heartbeat is of another center", beat.center, id);
  const policy = await opened.policy();
  for (const signer of policy === null ? [] : signers) needKeyAt(policy, signer, beat.log.size);
  needTree(await opened.checkpoint(), beat);
  return needHead(opened, beat);
}

/** Require the key to be of a center, and to count at an index of its log. */
function needKeyAt(policy, signer, index) {
  const known = policy.centers
    .flatMap((center) => center.keys)
    .findLast(({ key }) => key.keyid === signer.keyid);
  const counts =
    known !== undefined && known.from <= index && (known.until === null || index < known.until);
  need(
    counts,
    "the key of the heartbeat does not count there",
    signer.keyid,
    `a key that counts at log size ${index}`,
  );
}

/** Require that a quorum has cosigned the checkpoint within the time that the reader allows. */
async function checkAge(opened) {
  const { maxAge, now } = opened.trust;
  if (maxAge === null) return;
  const [oldest, latest] = [Math.floor(now / 1000 - maxAge), Math.floor(now / 1000 + SKEW)];
  const policy = await opened.policy();
  const { cosignatures } = await opened.checkpoint();
  const recent = cosignatures.filter(({ time }) => time >= oldest && time <= latest);
  const fresh =
    policy !== null &&
    recent.length > 0 &&
    isWitnessed(policy.quorum, await witnessesIn(opened, recent));
  need(
    fresh,
    "the checkpoint is stale",
    `${recent.length} of ${cosignatures.length} cosignatures are of that time`,
  );
}

function needTree(checkpoint, beat) {
  const { size, root } = beat.log;
  need(
    size <= checkpoint.size,
    "the checkpoint is stale",
    `${checkpoint.size} leaves`,
    `${size} or more, as the heartbeat has it`,
  );
  if (size !== checkpoint.size) return;
  const todo = "The center shows different logs to different people: keep the bundle as a proof";
  needEqual(
    "heartbeat and checkpoint have two roots for one size",
    hexOf(checkpoint.root),
    root,
    todo,
  );
}

/** Require that the release's head in the heartbeat is a leaf here, where it is that old. */
async function needHead(opened, beat) {
  const leaves = new Map(
    [...(await opened.leaves()).values()].map(({ leaf }) => [leaf.sequence, leaf]),
  );
  const last = Math.max(...leaves.keys());
  const { release } = await opened.about();
  const head = beat.heads.find((one) => one.release === release);
  if (head !== undefined && head.sequence > last) {
    const later = head.sequence - last;
    throw notNewest(
      opened,
      `the center has ${later} later leaves about this release by ${beat.beatOn}`,
    );
  }
  const logged = head && leaves.get(head.sequence);
  if (logged)
    needEqual(
      "the heartbeat names another leaf of this release",
      logged.hash,
      valueOf(head.newest),
    );
  if (head === undefined || head.sequence < last)
    throw notNewest(opened, `the heartbeat of ${beat.beatOn} is older than the run`);
  return `nothing newer in the heartbeat of ${beat.beatOn}`;
}

/** Return the error for a run that may not be the newest one; it matters only with a maximum age. */
function notNewest(opened, what) {
  return opened.trust.maxAge === null ? new NotNeeded(what) : new Unchecked(what);
}

/** Return the policy's names for those who cosigned the center's log, itself left out. */
async function witnessesIn(opened, cosignatures) {
  const policy = await opened.policy();
  const names = policy === null ? new Map() : witnessesOf(policy, (await opened.card()).id);
  return new Set(
    cosignatures.map(({ key }) => names.get(key.vkey)).filter((name) => name !== undefined),
  );
}

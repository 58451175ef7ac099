// Signed policies, and the chain from the one that a visitor trusts to the one in force.
//
// As pipelines/policy/signed_policy.py has it: a policy is signed by a threshold of its own
// operators, and one that follows another also by a threshold of the operators of that.
import { isPrintable, sha256, textOf, utf8 } from "./bytes.js";
import { envelopeOf } from "./dsse.js";
import { need, needEqual } from "./errors.js";
import { needSense } from "./independence.js";
import { canonical, readJson } from "./json.js";
import { readPublicKey, signersOf } from "./keys.js";
import { needModel } from "./model.js";
import { LOG_KEY, readNoteKey, WITNESS_KEY } from "./notes.js";
import { readQuorum } from "./quorum.js";

const PAYLOAD_TYPE = "application/vnd.samebits.policy+json";
const MAX_POLICY = 4 * 2 ** 20;
const MAX_VALUES = 100000;
const UNITS = { s: 1, min: 60, h: 3600 };
const HOUR = 3600;

/**
 * Return the policy that counts at `now` (milliseconds), as {policy, envelope, digest, first}.
 *
 * `policies` are signed policies, the oldest first: the first one is believed for its `fingerprint`
 * (the SHA-256 of its payload), each later one only if a threshold of operators of the one before
 * has signed it. Throws `Wrong`, or `Unchecked` where a key cannot be used here.
 */
export async function readPolicies(policies, fingerprint, now) {
  need(policies.length > 0, "no policy is given");
  let found = null;
  for (const [index, bytes] of policies.entries()) {
    const next = await readSigned(bytes, { check: index === policies.length - 1 });
    if (found === null && fingerprint) {
      needEqual(
        "the first policy is not the one with the fingerprint that you trust",
        next.digest,
        fingerprint,
      );
    }
    await needOperators(next, next.policy, "the policy is not signed by enough of its operators");
    if (found !== null) await needStep(found, next);
    found = { ...next, first: found?.first ?? next.digest };
  }
  const expires = Date.parse(found.policy.expires);
  need(
    now < expires,
    "the policy has expired",
    found.policy.expires,
    `one after ${new Date(now).toISOString()}`,
  );
  return found;
}

/** Read a signed policy: {policy, envelope, digest}; its signatures are not verified. */
export async function readSigned(bytes, { check = true } = {}) {
  const text = textOf(bytes) ?? "";
  need(text.trimStart().startsWith("{"), "the policy is not signed", "no DSSE envelope");
  const fields = readJson(bytes, "the signed policy", MAX_POLICY, { nodes: 1000 });
  const envelope = await envelopeOf(fields, PAYLOAD_TYPE, "the signed policy");
  const policy = await policyOf(envelope.payload);
  if (check) needSense(policy);
  return { policy, envelope, digest: await sha256(envelope.payload) };
}

/** Return the names of the operators of `policy` whose signatures are good. */
export async function signedBy(signed, policy) {
  const good = await signersOf(
    signed.envelope,
    policy.operators.map((operator) => operator.key),
  );
  const found = new Set(good.map((key) => key.material));
  return policy.operators
    .filter((operator) => found.has(operator.key.material))
    .map((operator) => operator.name);
}

/** Throw `Wrong` unless a threshold of the operators of `policy` has signed. */
export async function needOperators(signed, policy, what) {
  const good = await signersOf(
    signed.envelope,
    policy.operators.map((operator) => operator.key),
  );
  const names = policy.operators.map((operator) => operator.name).join(", ");
  need(
    good.length >= policy.threshold,
    what,
    `${good.length} good signatures`,
    `${policy.threshold} of ${names}`,
  );
}

/** Return a center by its id; throws `Wrong`. */
export function centerOf(policy, id) {
  const found = policy.centers.find((center) => center.id === id);
  need(found !== undefined, "the policy has no such center", id);
  return found;
}

/** Return the names of the witnesses that count for the log of a center, by their vkeys. */
export function witnessesOf(policy, id) {
  const operators = policy.centers
    .filter((center) => center.id === id)
    .map((center) => center.operator);
  const own = policy.centers
    .filter((center) => operators.includes(center.operator) && center.witness)
    .map((center) => center.witness.key.material);
  const others = policy.quorum.witnesses.filter(
    (witness) => !own.includes(witness.key.key.material),
  );
  return new Map(others.map((witness) => [witness.key.vkey, witness.name]));
}

async function needStep(old, next) {
  const version = next.policy.version;
  need(
    version >= old.policy.version,
    "the policy is older than the one before it",
    `version ${version}`,
    `version ${old.policy.version} or later`,
  );
  if (next.digest === old.digest) return;
  need(version !== old.policy.version, "two policies have one version", `version ${version}`);
  await needOperators(
    next,
    old.policy,
    "the policy is not signed by enough of the operators of the policy before it",
  );
}

/** Read a payload; any bytes but the canonical ones are refused. */
async function policyOf(payload) {
  const plain = readJson(payload, "a policy", MAX_POLICY, { nodes: MAX_VALUES });
  for (const part of ["operators", "centers"]) {
    need(
      !Array.isArray(plain[part]) || plain[part].length > 0,
      "the policy is empty",
      `no ${part}`,
    );
  }
  await needModel("Policy", plain, "the policy");
  need(textOf(payload) === canonical(plain), "a policy is not in canonical form");
  needSorted(plain.revoked);
  [plain.consensus, ...Object.values(plain.consensus.kinds)].forEach((rules) =>
    needSorted(rules.normalizers),
  );
  if (plain.max_open !== undefined) needDuration(plain.max_open);
  return {
    ...plain,
    quorum: await readQuorum(plain.witnesses),
    operators: await withKeys(plain.operators, "legal"),
    reviewers: await withKeys(plain.reviewers),
    centers: await Promise.all(plain.centers.map(readCenter)),
    resolutions: (plain.resolutions ?? []).map(readResolution),
  };
}

async function readCenter(center) {
  needLine(center.log.origin);
  return {
    ...center,
    log: { origin: center.log.origin, key: await readNoteKey(center.log.key, LOG_KEY) },
    witness: center.witness === null ? null : await readNoteKey(center.witness, WITNESS_KEY),
    keys: await withKeys(center.keys),
  };
}

function readResolution(resolution) {
  [resolution.log, resolution.reason].forEach(needLine);
  return resolution;
}

async function withKeys(entries, ...lines) {
  for (const entry of entries) lines.forEach((name) => needLine(entry[name]));
  return Promise.all(entries.map(async (entry) => ({ ...entry, key: await policyKey(entry.key) })));
}

async function policyKey(text) {
  need(typeof text === "string", "a key in the policy is no text");
  const key = await readPublicKey(utf8(text), "a key in the policy");
  need(key.text === text, "a key in the policy is written in another way");
  return key;
}

function needLine(text) {
  need(
    isPrintable(text) && text.trim() === text,
    "a line of the policy cannot be shown",
    text,
    "one line of printable text",
  );
}

function needSorted(texts) {
  need(
    texts.join() === [...texts].sort().join(),
    "a policy is not in canonical form",
    "a set in another order",
  );
}

/** Require a time of 1 h to 8760 h in the largest unit that keeps it whole. */
function needDuration(text) {
  const [, count, unit] = /^([1-9][0-9]*)(s|min|h)$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? NaN);
  const largest = Object.keys(UNITS).findLast((one) => seconds % UNITS[one] === 0);
  need(
    largest === unit && seconds >= HOUR && seconds <= 8760 * HOUR,
    "a policy has another longest time",
    text,
  );
}

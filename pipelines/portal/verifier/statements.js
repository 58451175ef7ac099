// Statements of a known type, in their canonical form, and what they say that they are about.
import { sha256, textOf } from "./bytes.js";
import { need } from "./errors.js";
import { canonical, readJson } from "./json.js";
import { needModel } from "./model.js";
import { MODELS } from "./models.js";

const MAX_STATEMENT = 8 * 2 ** 20;
const CONSENSUS = "https://samebits.example/consensus/v1";
const ABOUT_RUNS = ["comparison", "attempt", "robustness", "explanation", "seal"];
const OF_STATUS = ["heartbeat", "receipt", "crosscheck", "acknowledgement"];

/** Return the predicate type that a payload names, if that is unknown here; else null. */
export function unknownType(payload, what) {
  const named = readJson(payload, what, MAX_STATEMENT).predicateType;
  const known = typeof named !== "string" || Object.hasOwn(MODELS.statements, named);
  return known ? null : named;
}

/**
 * Read a statement of a known type: {kind, version, type, subject, predicate, digest, about}.
 *
 * `digest` is the SHA-256 of the payload, `about` the run that it is about, or null. No signature is
 * verified. Throws `Wrong`.
 */
export async function readStatement(payload, what) {
  const plain = readJson(payload, what, MAX_STATEMENT);
  const type = plain.predicateType;
  const known = typeof type === "string" && Object.hasOwn(MODELS.statements, type);
  need(known, `${what} is malformed`, `predicateType ${type}`, "a known one");
  const { model, kind, version } = MODELS.statements[type];
  await needModel(model, plain, what);
  need(
    textOf(payload) === canonical(plain),
    `${what} is malformed`,
    "JSON that is not canonical",
    "RFC 8785",
  );
  const { subject, predicate } = plain;
  const digest = await sha256(payload);
  return { kind, version, type, subject, predicate, digest, about: runOf(kind, predicate) };
}

/** Return the center that a statement names: null where it names none, undefined for no center's. */
export function authorOf({ kind, predicate, about }) {
  if (about !== null) return about.center;
  if (OF_STATUS.includes(kind)) return predicate.center;
  return kind === "summary" ? predicate[CONSENSUS].center : undefined;
}

/** Return one annotation of a resource; null without it. */
export function annotation(resource, name) {
  return resource.annotations?.[name] ?? null;
}

/** Return the attempt with the outcome of a run: the run's own, else the one judged last. */
export function finalAttempt(attempts) {
  const rank = { judged: 0, retry: 0, run: 1 };
  const place = ({ predicate }) => rank[predicate.purpose] * 10000 + predicate.number;
  const counted = attempts.filter(({ predicate }) => predicate.purpose in rank);
  return counted.reduce(
    (best, one) => (best === null || place(one) > place(best) ? one : best),
    null,
  );
}

/** Return the file that a rebuilt one was compared with; null where there was none. */
export function comparedFile(shipped) {
  const file = shipped?.fromVault ?? shipped?.served;
  return file ? { digest: file.digest, size: file.size } : null;
}

function runOf(kind, predicate) {
  if (ABOUT_RUNS.includes(kind)) {
    const { release, center, builder, run, claim = null } = predicate;
    return { release, center, builder, run, claim };
  }
  if (kind !== "provenance") return null;
  const { buildDefinition: definition, runDetails: details } = predicate;
  return {
    release: definition.externalParameters.release,
    center: null, // only the builder says of which
    builder: details.builder.id,
    run: details.metadata.invocationId,
    claim: definition.internalParameters.claim,
  };
}

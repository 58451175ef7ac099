// Which verdicts follow from which digests: the rule of the judge (pipelines/judge/finding.py).
import { canonical } from "./json.js";
import { MODELS } from "./models.js";

const { words } = MODELS;

/** Say whether two parts of documents are equal; what is not there equals only what is not there. */
export function same(one, two) {
  if (one === undefined || two === undefined) return one === two;
  return canonical(one) === canonical(two);
}

/** Say whether all values are different. */
export function allDifferent(values) {
  return (
    new Set(values.map((value) => (value === undefined ? "" : canonical(value)))).size ===
    values.length
  );
}

/** Return the digest as a report has it: plain, or keyed where the source is closed; or null. */
export function valueOf(digest) {
  return digest?.sha256 ?? digest?.hmac_sha256 ?? null;
}

/** Return what a fault of an update, or none, leaves of the verdict. */
export function updateResult(fault, standsIn) {
  if (fault === undefined || fault === null) return standsIn ? "stands-in" : "bytes-decide";
  return words.unjudgedFaults.includes(fault) ? "unjudged" : "refused";
}

/** Return what the checks of an update leave of a verdict; null where there were none. */
export function updateOf(predicate) {
  if (predicate.delta)
    return updateResult(predicate.delta.fault, predicate.delta.judged === "applied");
  return predicate.manifest ? updateResult(predicate.manifest.fault, true) : null;
}

/**
 * Say whether digests support a verdict on a file that was to be built.
 *
 * `published` is null for an output that nobody declared, `served` where no file was compared;
 * `same` is null where the build left no file.
 */
export function verdictFollows(verdict, { published, served, equal, normalized, grafted, update }) {
  if (published === null) return equal !== null && ["UNEXPECTED", "NOT_CHECKED"].includes(verdict);
  const genuine = served === published;
  const refused = update === "refused";
  const standsIn = update === "stands-in";
  const holds = update === null || update === "bytes-decide" || standsIn;
  switch (verdict) {
    case "SHIPPED_MISMATCH":
      return served !== null && !genuine;
    case "DIFFERENT":
      return genuine && (refused || equal === false);
    case "MISSING":
      return equal === null && (served === null || genuine) && !(standsIn || refused);
    case "NOT_CHECKED":
      return true;
    case "EQUIVALENT":
      return genuine && holds && ((equal === false && normalized) || (equal === null && standsIn));
    case "IDENTICAL_SIGNED":
      return genuine && holds && equal === false && grafted;
    case "IDENTICAL":
      return genuine && holds && equal === true;
    default:
      return false;
  }
}

/** Return the worst of some verdicts; NOT_CHECKED when there are none. */
export function worstVerdict(verdicts) {
  return words.verdicts.find((verdict) => verdicts.includes(verdict)) ?? "NOT_CHECKED";
}

/** Return 1 if anything failed, else 2 if anything or everything was not checked, else 0. */
export function verdictsExitCode(verdicts) {
  if (verdicts.some((verdict) => words.failing.includes(verdict))) return 1;
  const passing = verdicts.every((verdict) => words.passing.includes(verdict));
  return verdicts.length > 0 && passing ? 0 : 2;
}

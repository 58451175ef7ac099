// From the checks of single bundles to one answer about a file. Pure: no page, no network.
import { independentRegions } from "../verifier/independence.js";

export const REPRODUCED = "reproduced";
export const DIFFERENT = "not-reproduced";
export const UNPROVEN = "not-proven";
export const UNKNOWN = "unknown";
export const REFUSED = "refused";

const MATCHES = ["IDENTICAL", "IDENTICAL_SIGNED"];

/**
 * Return what one checked bundle says of the one file that it was checked with, and why.
 *
 * `checked` is the result of `check()`. A bundle in which anything is wrong is refused, whatever it
 * says, but for a file that is not the published one: that is an answer.
 */
export function standing(checked) {
  const wrong = checked.steps.find((step) => step.status === "wrong");
  if (wrong) return { answer: wrong.step === "files" ? DIFFERENT : REFUSED, why: wrong.message };
  const unchecked = checked.steps.find((step) => step.status === "unchecked");
  const verdict = checked.files[0]?.verdict ?? null;
  if (verdict && verdict !== "NOT_CHECKED" && !MATCHES.includes(verdict)) {
    return { answer: DIFFERENT, why: verdict };
  }
  if (unchecked) return { answer: UNPROVEN, why: unchecked.message };
  return { answer: verdict && MATCHES.includes(verdict) ? REPRODUCED : UNPROVEN, why: verdict ?? "" };
}

/**
 * Return the answer of all bundles: `{answer, reason, operators, regions, rules, silent}`.
 *
 * `standings` are of one release: `[{answer, center, claim, scope, user_namespace}]`. `policy` is
 * the payload of the policy that counts. One difference outweighs any number of matches. Matches
 * count together that have one claim and scope; an operator counts for one region. Too few operators
 * or regions prove nothing, and neither do any under a policy that nobody has compared (`compared`),
 * or that asks for more than bundles can prove.
 */
export function answerOf(standings, policy, compared) {
  const centers = new Map(policy.centers.map((center) => [center.id, center]));
  const rules = strictest(policy.consensus);
  const matched = matching(standings, centers, rules);
  const [operators, regions] = ["operator", "region"].map((field) => named(matched, field));
  const heard = new Set(standings.map((one) => one.center));
  const silent = policy.centers.map((center) => center.id).filter((id) => !heard.has(id));
  const facts = { operators, regions, rules, silent };
  const has = (answer) => standings.some((one) => one.answer === answer);
  if (has(DIFFERENT)) return { answer: DIFFERENT, reason: "different", ...facts };
  if (has(REFUSED)) return { answer: REFUSED, reason: "refused", ...facts };
  if (operators.length < rules.k || independentRegions(matched) < rules.regions) {
    return { answer: UNPROVEN, reason: operators.length ? "too-few" : "nothing", ...facts };
  }
  if (rules.workProof) return { answer: UNPROVEN, reason: "work", ...facts };
  if (!compared) return { answer: UNPROVEN, reason: "not-compared", ...facts };
  return { answer: REPRODUCED, reason: "enough", ...facts };
}

/** Return the centers of the largest group of matches that count together. */
function matching(standings, centers, rules) {
  const groups = new Map();
  for (const one of standings) {
    const known = centers.get(one.center);
    const counts = one.answer === REPRODUCED && (one.user_namespace || !rules.userNamespace);
    if (!known || !counts) continue;
    const key = `${one.claim} ${one.scope}`;
    groups.set(key, [...(groups.get(key) ?? []), known]);
  }
  const size = (group) => named(group, "operator").length;
  return [...groups.values()].sort((one, two) => size(two) - size(one))[0] ?? [];
}

function named(centers, field) {
  return [...new Set(centers.map((center) => center[field]))].sort();
}

/** Return what a policy asks for, of whatever kind the release is. */
function strictest(consensus) {
  const every = [consensus, ...Object.values(consensus.kinds ?? {})];
  return {
    k: Math.max(1, ...every.map((rules) => rules.k)),
    regions: Math.max(1, ...every.map((rules) => rules.regions)),
    userNamespace: every.some((rules) => rules.user_namespace === "required"),
    workProof: every.some((rules) => rules.work_proof === "required"),
  };
}

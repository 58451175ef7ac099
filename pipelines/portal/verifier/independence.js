// What would make a policy contradict itself: one key, legal body or operator that counts twice,
// numbers that cannot be reached, ranges that overlap (pipelines/policy/{validation,independence}.py).
import { need } from "./errors.js";
import { same } from "./verdict_rules.js";
import { isWitnessed } from "./quorum.js";

const LATIN = new Map(
  [...("авекмнорстухіјѕһԁԛԝ" + "αβεζηικμνορτυχϲϳ")].map((letter, index) => [
    letter,
    ("abekmhopctyxijshdqw" + "abezhikmnoptyxcj")[index],
  ]),
);
const UNSEEN =
  /[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\ufe00-\ufe0f\u{e0100}-\u{e01ef}\p{Z}\p{P}\p{C}]/gu;

/** Require a policy that does not contradict itself; throws `Wrong`. */
export function needSense(policy) {
  needUsedOnce(policy);
  needOtherBodies(policy);
  needOneVoteAnOperator(policy);
  const operators = new Set(policy.operators.map((operator) => operator.name));
  for (const center of policy.centers) {
    need(
      operators.has(center.operator),
      `center ${center.id} has an unknown operator`,
      center.operator,
    );
    need(
      center.log.key.name === center.log.origin,
      "the key of a log has another name than the log",
      center.log.key.name,
    );
    needSeparateRanges(center);
  }
  const reviewers = new Set(policy.reviewers.map((reviewer) => reviewer.key.keyid));
  need(
    policy.revoked.every((keyid) => reviewers.has(keyid)),
    "no key of a reviewer to revoke",
  );
  needReachable(policy);
  policy.resolutions.forEach((resolution) => needResolution(policy, resolution));
  const alone = policy.operators.length === 1 || !isWitnessed(policy.quorum, new Set());
  need(alone, "several operators, and no witness is required: each could show two logs");
}

/** Return what is compared of a name in law: equal for two spellings of one name. */
function legalBody(name) {
  const folded = [...name.normalize("NFKC")].map(caseless).join("");
  const seen = folded.normalize("NFKD").replace(UNSEEN, "");
  return [...seen].map((letter) => LATIN.get(letter) ?? letter).join("");
}

/** Fold the case of one character as Unicode does: to small letters, but not of `ı` to `i`. */
function caseless(character) {
  return character === "ı" ? character : character.toLowerCase().toUpperCase().toLowerCase();
}

/** Return how many regions there are if each operator counts for one region alone. */
export function independentRegions(centers) {
  const regions = new Map();
  for (const { operator, region } of centers) {
    regions.set(operator, (regions.get(operator) ?? new Set()).add(region));
  }
  const taken = new Map();
  const place = (operator, tried) => {
    for (const region of regions.get(operator)) {
      if (tried.has(region)) continue;
      tried.add(region);
      if (!taken.has(region) || place(taken.get(region), tried)) {
        taken.set(region, operator);
        return true;
      }
    }
    return false;
  };
  return [...regions.keys()].filter((operator) => place(operator, new Set())).length;
}

function needUsedOnce(policy) {
  const names = [
    ...policy.operators.map((operator) => `operator ${operator.name}`),
    ...policy.centers.flatMap((c) => [
      `center ${c.id}`,
      `log ${c.log.origin}`,
      `builder ${c.builder}`,
    ]),
  ];
  need(new Set(names).size === names.length, "a name is used twice in the policy");
  const ofCenters = policy.centers.map((center) => center.witness).filter(Boolean);
  const witnesses = policy.quorum.witnesses.map((witness) => witness.key.key);
  const known = new Set(ofCenters.map((witness) => witness.key.material));
  const keys = [
    ...policy.operators.map((operator) => operator.key),
    ...policy.centers.flatMap((c) => [
      ...c.keys.map((key) => key.key),
      c.log.key.key,
      ...(c.witness ? [c.witness.key] : []),
    ]),
    ...policy.reviewers.map((reviewer) => reviewer.key),
    ...witnesses.filter((key) => !known.has(key.material)),
  ];
  const once = [keys.map((key) => key.material), keys.map((key) => key.keyid)].every(
    (values) => new Set(values).size === values.length,
  );
  need(
    once,
    "one key is used twice in the policy",
    null,
    "a key of its own for every person, center and use",
  );
}

function needOtherBodies(policy) {
  const bodies = policy.operators.map((operator) => legalBody(operator.legal));
  need(new Set(bodies).size === bodies.length, "one legal body is two operators");
}

/** Require of groups that need more than one member that no operator is more than one of them. */
function needOneVoteAnOperator({ centers, quorum }) {
  for (const operator of new Set(centers.map((center) => center.operator))) {
    const witnessed = centers.filter((center) => center.operator === operator && center.witness);
    const own = new Set(witnessed.map((center) => center.witness.key.material));
    const names = new Set(
      quorum.witnesses.filter((w) => own.has(w.key.key.material)).map((w) => w.name),
    );
    for (const group of quorum.groups) {
      const members = group.members.filter((member) => names.has(member)).length;
      const once = group.threshold === 1 || members <= 1;
      need(once, "the witnesses of one operator count more than once", operator);
      if (members >= group.threshold) names.add(group.name);
    }
  }
}

function needSeparateRanges(center) {
  let end = 0;
  for (const { from, until } of [...center.keys].sort((one, two) => one.from - two.from)) {
    need(
      until === null || until > from,
      "an empty range of log sizes",
      `from ${from} until ${until}`,
    );
    need(end !== null && from >= end, "two keys for one part of a log", `from ${from}`);
    end = until;
  }
}

function needReachable(policy) {
  const valid = policy.reviewers.filter((one) => !policy.revoked.includes(one.key.keyid));
  const reviewers = new Set(valid.map((one) => one.name)).size;
  const operators = new Set(policy.centers.map((center) => center.operator)).size;
  const regions = independentRegions(policy.centers);
  const limits = [
    ["operators", policy.threshold, policy.operators.length],
    ...[policy.reviews.minimum, ...Object.values(policy.reviews.kinds)].map((n) => [
      "reviewers",
      n,
      reviewers,
    ]),
  ];
  for (const rules of [policy.consensus, ...Object.values(policy.consensus.kinds)]) {
    limits.push(["operators with a center", rules.k, operators]);
    limits.push(["regions of different operators", rules.regions, regions]);
    limits.push(["operators beyond k", rules.max_dissent, operators - rules.k]);
  }
  for (const [counted, got, most] of limits) {
    need(got <= most, `more ${counted} are required than there are`, got, `at most ${most}`);
  }
}

function needResolution(policy, resolution) {
  const center = policy.centers.find((one) => one.log.origin === resolution.log);
  need(center !== undefined, "no center has the log of a resolution", resolution.log);
  const first = policy.resolutions.find((one) => one.log === resolution.log);
  need(first === resolution, "two resolutions for one log", resolution.log, "one");
  const both = resolution.rejected.some((tree) => same(tree, resolution.accepted));
  need(!both, "a tree is accepted and rejected");
  const ended = center.keys.every(
    (key) => key.until !== null && key.until <= resolution.accepted.size,
  );
  need(ended, "a key goes on in a log that ended with a fork");
}

// What the statements of one run say together (pipelines/audit/{run_findings,verdict_rule}.py).
import { commitmentDigest } from "./leaves.js";
import { MODELS } from "./models.js";
import { comparedFile, finalAttempt } from "./statements.js";
import { same, updateOf, valueOf, verdictFollows } from "./verdict_rules.js";

const { words } = MODELS;
export const MATCHES = ["IDENTICAL", "IDENTICAL_SIGNED"];
export const IN_FAVOUR = [...MATCHES, "EQUIVALENT"];

/**
 * Return {incomplete, commitments, uncommitted} of the run.
 *
 * `incomplete` says of each statement that does not fit its run why; `uncommitted`, why the
 * commitments are not what the run should have committed to before it was stated, or null.
 */
export function runFindings(opened) {
  return opened.kept("findings", () => findingsOf(opened));
}

async function findingsOf(opened) {
  const records = [...(await opened.verified())].map(([name, record]) => ({ name, ...record }));
  const comparisons = records.filter(({ statement }) => statement.kind === "comparison");
  const attempts = records.filter(({ statement }) => statement.kind === "attempt");
  const last = finalAttempt(attempts.map(({ statement }) => statement));
  const unfit = (list, why) => ({
    incomplete: list.map(({ name }) => [name, why]),
    commitments: [],
    uncommitted: null,
  });
  if (last === null) return unfit(comparisons, "no attempt");
  const compared = comparisons.map(({ statement }) => statement);
  for (const { statement } of attempts) {
    const odd = unmatchedArtefact(statement, compared);
    if (odd !== null) return unfit([...comparisons, ...attempts], odd);
  }
  const commitments = await commitmentsOf(opened);
  const first = Math.min(...[...comparisons, ...attempts].map(({ index }) => index));
  const uncommitted = uncommittedFor(commitments, await expectedCommitment(last, attempts), first);
  const scattered = uncommitted === null && isScattered(comparisons, attempts);
  const incomplete = comparisons
    .map(({ name, statement }) => [name, unfitFor(statement, last, compared, scattered)])
    .filter(([, why]) => why !== null);
  return { incomplete, commitments, uncommitted };
}

/** Return why a comparison does not fit its run; null where it does, or is refused elsewhere. */
function unfitFor(statement, last, compared, scattered) {
  const { predicate, subject } = statement;
  const { shipped, claim } = predicate;
  if (!shipped || !claim) return null;
  const { published } = shipped;
  if (!published.sha256 || !same(claim, last.predicate.claim) || subject.length !== 1)
    return "another claim or subject than its attempt";
  if (!same(subject[0].digest, published)) return "about other bytes than its published digest";
  const refuted =
    contradictionInFavour(statement, last) !== null ||
    deltaContradiction(statement, compared) !== null;
  return scattered && !refuted && MATCHES.includes(predicate.verdict)
    ? "not stated by one commit"
    : null;
}

function contradictionInFavour(statement, last) {
  const { predicate, version } = statement;
  if (
    version === 1 ||
    !IN_FAVOUR.includes(predicate.verdict) ||
    last.predicate.outcome !== words.built
  )
    return null;
  return contradiction(statement, true);
}

/** Return the name of an artefact that only the attempt or only a comparison has; else null. */
function unmatchedArtefact(attempt, comparisons) {
  const keyOf = ({ name, digest }) =>
    JSON.stringify([name, digest.sha256, digest.hmac_sha256, digest.gitCommit]);
  const attempted = new Set(attempt.subject.map(keyOf));
  const shipped = comparisons.filter(({ predicate }) => predicate.shipped);
  const compared = new Set(shipped.map(({ subject }) => keyOf(subject[0])));
  const odd = [...attempted, ...compared].find((key) => attempted.has(key) !== compared.has(key));
  return odd === undefined ? null : JSON.parse(odd)[0];
}

async function commitmentsOf(opened) {
  const { run } = await opened.about();
  const leaves = [...(await opened.leaves())].filter(([, { leaf }]) => leaf.run === run);
  return leaves.map(([index, { leaf }]) => ({ index, digest: leaf.committed }));
}

/** Return the digest of the commitment that a run must have made; null if it made none. */
async function expectedCommitment(last, attempts) {
  const sealed = attempts.map(({ statement }) => statement.predicate.seal).filter(Boolean);
  const seals = new Set(sealed.map((seal) => seal.sha256 ?? null));
  const seal = seals.size === 1 ? [...seals][0] : null;
  const claim = valueOf(last.predicate.claim);
  return claim === null || seal === null ? null : commitmentDigest(last.predicate.run, claim, seal);
}

function uncommittedFor(commitments, expected, before) {
  const [one] = commitments;
  if (one === undefined) return "no commitment in the log";
  if (commitments.length > 1)
    return `it committed more than once, at ${one.index} and ${commitments[1].index}`;
  if (one.digest !== expected) return `the commitment at ${one.index} is to another claim or seal`;
  return one.index < before ? null : `the commitment at ${one.index} is after its statements`;
}

/** Say whether something else stands between the leaves of a run, so that it is half stated. */
function isScattered(comparisons, attempts) {
  const all = [...comparisons, ...attempts];
  if (all.every(({ statement }) => statement.version === 1)) return false;
  const indexes = all.map(({ index }) => index);
  const compared = comparisons.map(({ statement }) => statement.predicate);
  const made = compared.some((one) => one.provenance) ? 1 : 0;
  const grafted = compared.some((one) => one.verdict === "IDENTICAL_SIGNED") ? 1 : 0;
  const span = Math.max(...indexes) - Math.min(...indexes) + 1;
  return span > new Set(indexes).size + made + grafted;
}

/** Return what it would have to say in place of verdict and ground; null where both follow. */
export function contradiction({ predicate, subject }, built) {
  const { verdict, ground, shipped, rebuilt, signature, maskFault } = predicate;
  if (!built) {
    const expected = verdict === "NOT_CHECKED" && ground === "no-rebuild" && !signature;
    return expected ? null : "NOT_CHECKED, as nothing was built";
  }
  const compared = comparedFile(shipped);
  if (
    !shipped &&
    !(
      rebuilt &&
      same(
        subject.map((one) => one.digest),
        [rebuilt.digest],
      )
    )
  )
    return "a verdict on the output itself";
  const supported = verdictFollows(verdict, {
    published: shipped?.published.sha256 ?? null,
    served: compared?.digest.sha256 ?? null,
    equal: rebuilt ? same(rebuilt, compared ?? undefined) : null,
    normalized: predicate.normalizers.length > 0,
    grafted: signature !== undefined && same(signature.grafted, compared ?? undefined),
    update: updateOf(predicate),
  });
  if (!supported) return "the verdict of the judge on these digests";
  if (!signatureFits(predicate))
    return "a signature that was grafted or refused, where its verdict has one";
  if (maskFault && verdict !== "DIFFERENT") return "a fault of normalizers with DIFFERENT alone";
  const grounds = groundsOf(predicate);
  return grounds.includes(ground) ? null : `one for ${grounds.join(" or ")}`;
}

/** Return what a delta in favour would have to lead to, by other comparisons of its run; or null. */
export function deltaContradiction(statement, compared) {
  const { delta, verdict } = statement.predicate;
  if (!delta || !IN_FAVOUR.includes(verdict)) return null;
  const targets = compared
    .filter(
      (one) =>
        one !== statement &&
        one.predicate.shipped &&
        same(one.predicate.shipped.published, delta.target),
    )
    .map((one) => one.predicate);
  const files = targets.flatMap((one) => [one.rebuilt, one.signature?.grafted]).filter(Boolean);
  const leads = delta.members ? files.length > 0 : files.some((file) => same(file, delta.expected));
  return leads ? null : "a file that the run built as its target";
}

function signatureFits({ signature, verdict }) {
  if (!signature) return verdict !== "IDENTICAL_SIGNED";
  if (signature.fault) return verdict === "DIFFERENT";
  return ["IDENTICAL_SIGNED", "EQUIVALENT"].includes(verdict);
}

/** Return the grounds that a verdict on what was built can have. */
function groundsOf(predicate) {
  const { signature, maskFault, verdict, shipped, delta } = predicate;
  if (signature?.fault) return ["signature-refused"];
  if (maskFault) return ["normalizers-refused"];
  const update = updateOf(predicate);
  if (verdict === "DIFFERENT" && update === "refused") return ["update-refused"];
  if (verdict === "NOT_CHECKED" && update === "unjudged") return ["update-unjudged"];
  if (verdict === "EQUIVALENT" && update === "stands-in")
    return [delta ? "delta-applied" : "manifest-recomputed"];
  if (verdict !== "NOT_CHECKED") return [words.grounds[verdict]];
  const unreachable = shipped && comparedFile(shipped) === null;
  return [...words.unjudged, ...(unreachable ? ["shipped-unreachable"] : [])];
}

// What has to hold between the fields of statements, as pipelines/evidence/statements has it.
//
// Each rule says whether it holds for a part of a statement in its canonical form.
import { sha256, utf8 } from "./bytes.js";
import { canonical } from "./json.js";
import { MODELS } from "./models.js";
import { allDifferent, same, updateOf } from "./verdict_rules.js";

const { words } = MODELS;
const ONLY_FAILED = ["FAILED"];
const RECEIPTS = { accepted: [], refused: ["reason"], done: ["report", "run", "verdict"] };

/** Say whether texts are in order, each once. Those compared here are sorted as Python does. */
function ascending(values, compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0)) {
  return values.every((value, index) => index === 0 || compare(values[index - 1], value) < 0);
}

function versionOf(statement) {
  return MODELS.statements[statement.predicateType].version;
}

async function isAbout(statement, name, document) {
  const digest = { sha256: await sha256(utf8(canonical(document))) };
  return same(statement.subject, [{ name, digest }]);
}

function aboutOneRequest(statement) {
  const [subject] = statement.subject;
  const algorithms = Object.keys(subject.digest);
  return (
    statement.subject.length === 1 && subject.name === "request" && same(algorithms, ["sha256"])
  );
}

/** Say whether a comparison has ledger and normalizers of EQUIVALENT, each once, or neither. */
function hasItsLedger(about) {
  const listed = about.normalizers;
  const known = new Set(
    listed.map((one) => one.name).filter((name) => words.normalizers.includes(name)),
  );
  const counted = listed.every((one) => one.version && one.masked);
  const few = listed.reduce((sum, one) => sum + (one.masked ?? 0), 0) <= words.maxMasked;
  const masked = about.verdict === "EQUIVALENT" && updateOf(about) === null;
  const fits = listed.length > 0 === masked && (about.maskLedger !== undefined) === masked;
  return counted && few && known.size === listed.length && fits;
}

function robustnessOf(built, equal) {
  if (!built) return "failed";
  return equal ? "same" : "differs";
}

/** Return the proof of the whole of a cross-check: that of its worst part. */
function overallProof(files, seal) {
  const all = [...files, seal];
  const bad = ["wrong", "absent"].find((proof) => all.includes(proof));
  return bad ?? (files.includes("proved") ? "proved" : "none");
}

export const STATEMENT_RULES = {
  Statement_of_its_type: (s) => Object.hasOwn(MODELS.statements, s.predicateType),
  Statement_unique_subjects: (s) => allDifferent(s.subject.map((subject) => subject.name)),
  DigestSet_not_empty: (d) => Object.keys(d).length > 0,

  // Comparisons
  ComparisonStatement_names_its_scope: (s) => {
    const about = s.predicate;
    const first = versionOf(s) === 1;
    const explained = about.causes !== undefined && about.explanation !== undefined;
    const bare = about.causes === undefined && about.explanation === undefined;
    const later = about.shipped?.fromVault || about.signature || about.delta || about.manifest;
    if ((about.scope === undefined) !== first) return false;
    return first ? explained && !later : bare && hasItsLedger(about);
  },
  Shipped_one_file: (s) => !s.fromVault || (!s.served && same(s.fromVault.digest, s.published)),
  SignatureBy_one_name: (s) => (s.certificate === undefined) !== (s.key === undefined),
  VendorSignature_one_answer: (s) => {
    const parts = [s.format, s.signers.length, s.grafted];
    const rest = [s.taken, s.carried.length, s.packing];
    return s.fault ? ![...parts, ...rest].some(Boolean) : parts.every(Boolean);
  },
  VendorSignature_strong_signers: (s) => {
    const weak = s.signers.length > 0 && s.signers.every((one) => one.weakDigest);
    return (
      allDifferent(s.signers.map((one) => [one.certificate ?? null, one.key ?? null])) && !weak
    );
  },
  VendorSignature_within_its_file: (s) => {
    const size = s.grafted?.size ?? 0;
    if (s.taken > size && s.packing === undefined) return false;
    return s.carried.every((part) =>
      part.inside ? s.packing !== undefined : part.offset + part.length <= size,
    );
  },
  BaseReference_whole: (b) =>
    new Set([b.run === undefined, b.comparison === undefined, b.chain === undefined]).size === 1,
  ComparedDelta_holds: (d) =>
    d.fault !== undefined || Boolean(d.applied && same(d.applied, d.expected) && d.base.run),

  // Rebuilds
  RebuildAttempt_built_by_an_attempt: (a) => a.purpose !== "run" || a.outcome !== words.built,
  AttemptStatement_names_its_report: (s) =>
    (s.predicate.report === undefined) === (versionOf(s) === 1),
  VariedEntry_elsewhere: (v) => v.from !== v.to,
  KeptFactor_cores_alone: (k) => k.why !== "alone" || k.factor === "cores",
  ComparedArtefact_of_its_digests: (a) => a.same === same(a.judged, a.moved),
  RobustnessTest_every_factor: (t) => {
    const found = [t.moved, t.kept].map((list) => list.map((one) => one.factor));
    const inOrder = found.every((list) =>
      same(
        list,
        words.factors.filter((f) => list.includes(f)),
      ),
    );
    return inOrder && same(found.flat().sort(), [...words.factors].sort());
  },
  RobustnessTest_result_of_its_parts: (t) => {
    const built = t.outcome === words.built;
    if (!built && t.artefacts.some((one) => one.moved)) return false;
    return (
      t.result ===
      robustnessOf(
        built,
        t.artefacts.every((one) => one.same),
      )
    );
  },

  // Explanations
  ExplainedComparison_follows_from_the_rebuild: (e) => {
    const varies = ["shipped", "other"].includes(e.confirmation);
    const left = e.confirmation !== undefined && e.confirmation !== "absent";
    return varies === e.causes.includes("nondeterministic") && left === (e.rebuilt !== undefined);
  },
  RunExplained_confirmed_by_a_rebuild: (r) =>
    r.confirming?.outcome === words.built || !r.artefacts.some((one) => one.confirmation),
  ExplanationStatement_about_its_subjects: (s) =>
    same(
      s.subject.map((one) => one.name),
      s.predicate.artefacts.map((one) => one.name),
    ),

  // Logs and seals
  Tree_empty_or_not: async (t) => (t.size === 0) === (t.root === (await sha256(new Uint8Array()))),
  Work_of_those_due: (w) => w.done + w.failed <= w.due,
  Heartbeat_heads_of_the_log: (h) =>
    ascending(h.heads.map((head) => head.release)) &&
    h.heads.length <= h.releases &&
    h.releases <= h.log.size &&
    h.heads.every((head) => head.sequence < h.log.size),
  HeartbeatStatement_about_its_heads: (s) => isAbout(s, "heads", s.predicate.heads),
  SealLinesStatement_about_its_lines: (s) => isAbout(s, "seal", s.predicate.files),
  AbsentLeaves_in_order: (a) => ascending(a.indexes, (x, y) => x - y),
  Absence_each_release_once: (a) => ascending(a.absent.map((one) => one.release)),
  AbsenceStatement_about_its_list: (s) => isAbout(s, "absent", s.predicate.absent),
  LeafRange_in_order: (r) => r.last >= r.first,
  AcknowledgementStatement_about_its_alarms: (s) => {
    const { cause, release = null, leaves } = s.predicate;
    return isAbout(s, "alarm", { cause, release, leaves });
  },

  // People
  SourceStatement_about_its_subjects: (s) => {
    const { kind, version } = MODELS.statements[s.predicateType];
    const names = ["source", "claim", "scope"].slice(0, kind === "review" ? version + 1 : 3);
    const algorithms = s.subject.map((one) => Object.keys(one.digest));
    const alike = ["sha256", "hmac_sha256"].some((name) =>
      algorithms.every((one) => same(one, [name])),
    );
    return (
      same(
        s.subject.map((one) => one.name),
        names,
      ) && alike
    );
  },
  Receipt_complete: (r) =>
    same(
      ["report", "reason", "run", "verdict"].filter((name) => r[name] !== undefined).sort(),
      RECEIPTS[r.answer],
    ),
  ReceiptStatement_about_one_request: aboutOneRequest,

  // Consensus
  SummaryStatement_about_one_file: (s) =>
    s.subject.length === 1 && s.subject[0].digest.sha256 !== undefined,
  VerificationSummary_agrees_with_itself: (v) => {
    const passed = v.verificationResult === "PASSED";
    const { result, matched, number, supersedes } = v["https://samebits.example/consensus/v1"];
    const levels = v.verifiedLevels;
    if (passed !== (result === "CONFIRMED") && result !== "SPLIT") return false;
    if (passed ? levels.includes("FAILED") : !same(levels, ONLY_FAILED)) return false;
    if (levels.includes("SLSA_BUILD_REPRODUCED") && matched.length < 2) return false;
    return (number === 1) === (supersedes === undefined);
  },
  Crosscheck_of_another: (c) =>
    c.checked.center !== c.center &&
    c.proof ===
      overallProof(
        c.files.map((file) => file.proof),
        c.seal,
      ),
};

// All checks of a bundle, in the order of pipelines/bundle/check/checker.py: the same verdicts.
//
// A check relies on those before it, so the first that finds something wrong is the last that is made.
// What cannot be checked does not stop the others, and is never a pass.
import {
  checkByProducts,
  checkCard,
  checkDigests,
  checkEnvelopes,
  checkEvidence,
  checkFiles,
  checkForm,
  checkKeys,
  checkKinds,
  checkKnownMembers,
  checkSchema,
  checkSealed,
  fileAnswers,
} from "./check_members.js";
import {
  checkChain,
  checkCommitment,
  checkInclusion,
  checkLeaves,
  checkLogged,
} from "./check_log.js";
import {
  checkAttempts,
  checkClaim,
  checkExplained,
  checkLog,
  checkMoved,
  checkReport,
  checkRun,
  checkScope,
  checkSeal,
  checkSignedReport,
  checkTested,
  checkTimes,
} from "./check_run.js";
import {
  checkBuilder,
  checkFresh,
  checkGivenPolicy,
  checkKeyTime,
  checkKeyUse,
  checkPolicy,
  checkSignatures,
  checkVersion,
  checkWitnesses,
} from "./check_trust.js";
import {
  checkBases,
  checkBuilt,
  checkComplete,
  checkDeltas,
  checkGrafted,
  checkLedgers,
  checkNotCopied,
  checkProvenance,
  checkVerdicts,
} from "./check_verdicts.js";
import { NotNeeded, shown, Unchecked, Wrong } from "./errors.js";
import { missingRules } from "./model.js";
import { OpenedBundle } from "./opened.js";
import { valueOf, verdictsExitCode } from "./verdict_rules.js";

const CHECKS = {
  form: checkForm,
  members: checkKnownMembers,
  digests: checkDigests,
  card: checkCard,
  keys: checkKeys,
  policy: checkPolicy,
  "given-policy": checkGivenPolicy,
  envelopes: checkEnvelopes,
  leaves: checkLeaves,
  inclusion: checkInclusion,
  chain: checkChain,
  witnesses: checkWitnesses,
  signatures: checkSignatures,
  "key-use": checkKeyUse,
  schema: checkSchema,
  "key-time": checkKeyTime,
  builder: checkBuilder,
  logged: checkLogged,
  run: checkRun,
  kinds: checkKinds,
  fresh: checkFresh,
  version: checkVersion,
  report: checkReport,
  "signed-report": checkSignedReport,
  times: checkTimes,
  claim: checkClaim,
  scope: checkScope,
  attempts: checkAttempts,
  seal: checkSeal,
  complete: checkComplete,
  commitment: checkCommitment,
  built: checkBuilt,
  provenance: checkProvenance,
  log: checkLog,
  "by-products": checkByProducts,
  inputs: checkNotCopied,
  verdicts: checkVerdicts,
  ledgers: checkLedgers,
  grafted: checkGrafted,
  deltas: checkDeltas,
  bases: checkBases,
  tested: checkTested,
  moved: checkMoved,
  explained: checkExplained,
  evidence: checkEvidence,
  files: checkFiles,
  sealed: checkSealed,
};

/**
 * Check the bytes of a bundle, and files against it, as `samebits evidence check` does.
 *
 * `options`: `policies` (signed policies as bytes, the oldest first), the `fingerprint` of the first
 * one (the SHA-256 of its payload), or `keys` (PEM) and the `builder` that they sign for; `now`
 * (milliseconds or a Date), `maxAge` (seconds), `files` ({name, sha256, data}), and `bases`, the
 * bundles of runs that judged the bases of updates. Nothing is thrown: the result has `exit_code`
 * 0 (in order), 1 (wrong, or failed) or 2 (not proven). Beside the answers of the command it has
 * what runs are joined by: `claim`, `scope`, and whether no user of the container was root of the
 * machine (`user_namespace`).
 */
export async function check(bundle, options = {}) {
  const trust = {
    policies: options.policies?.length ? options.policies : null,
    fingerprint: options.fingerprint ?? null,
    keys: options.keys ?? [],
    builder: options.builder ?? null,
    now: Number(options.now ?? Date.now()),
    maxAge: options.maxAge ?? null,
  };
  const bases = [];
  for (const base of options.bases ?? []) {
    const opened = new OpenedBundle(base, trust);
    bases.push({ opened, result: await checked(opened) });
  }
  return checked(new OpenedBundle(bundle, trust, { files: options.files ?? [], bases }));
}

async function checked(opened) {
  const steps = [];
  const missing = missingRules();
  if (missing.length > 0) {
    return resultOf(null, [
      {
        step: "form",
        status: "unchecked",
        message: `this verifier lacks the rules ${missing.join(", ")}`,
      },
    ]);
  }
  for (const [step, run] of Object.entries(CHECKS)) {
    try {
      steps.push({ step, status: "ok", message: shown(await run(opened)) });
    } catch (error) {
      const status = statusOf(error);
      steps.push({ step, status, message: shown(error.message) });
      if (status === "wrong") return resultOf(null, steps);
    }
  }
  return resultOf(opened, steps);
}

/** Return how a step ended; an error of the verifier itself proves nothing. */
function statusOf(error) {
  if (error instanceof Wrong) return "wrong";
  return error instanceof NotNeeded ? "note" : "unchecked";
}

async function resultOf(opened, steps) {
  const found = { release: null, center: null, run: null, outcome: null, artefacts: [], files: [] };
  Object.assign(found, { claim: null, scope: null, user_namespace: false });
  if (opened !== null) {
    try {
      const { release, run, claim } = await opened.about();
      const comparisons = await opened.comparisons();
      found.artefacts = comparisons.map(({ subject, predicate }) => ({
        name: subject[0].name,
        verdict: predicate.verdict,
      }));
      const [center, outcome, files] = [
        (await opened.card()).id,
        await opened.outcome(),
        await fileAnswers(opened),
      ];
      Object.assign(found, { release, run, center, outcome, files, claim: valueOf(claim) });
      found.scope = valueOf(comparisons[0]?.predicate.scope);
      const ids = (await opened.judged())?.predicate.uidMap ?? [];
      found.user_namespace = ids.length > 0 && ids.every(({ outside }) => outside > 0);
    } catch (error) {
      if (!(error instanceof Unchecked))
        steps.push({ step: "result", status: "unchecked", message: shown(error.message) });
    }
  }
  return { ...found, steps, exit_code: exitCodeOf(steps, found.artefacts) };
}

/** Return 1 if something is wrong, or failed; else 2 if something could not be checked; else 0. */
function exitCodeOf(steps, artefacts) {
  const statuses = steps.map(({ status }) => status);
  const verdicts = verdictsExitCode(artefacts.map(({ verdict }) => verdict));
  if (statuses.includes("wrong") || verdicts === 1) return 1;
  return statuses.includes("unchecked") ? 2 : verdicts;
}

// Checks of the findings: every artefact judged, each verdict in accord with its own digests
// (pipelines/bundle/check/{verdict_consistency,update_bases}.py).
import { sha256, utf8 } from "./bytes.js";
import { need, needEqual, needFields, needList, NotNeeded, sentence, Unchecked } from "./errors.js";
import { contradiction, deltaContradiction, IN_FAVOUR, runFindings } from "./findings.js";
import { canonical } from "./json.js";
import { bytesByNormalizer } from "./report_rules.js";
import { annotation, comparedFile } from "./statements.js";
import { same, valueOf } from "./verdict_rules.js";

const CHANGED = ["IDENTICAL_SIGNED", "EQUIVALENT"];

export async function checkComplete(opened) {
  for (const [name, why] of (await runFindings(opened)).incomplete)
    need(false, `${name} does not fit its run`, why);
  const shipped = (await opened.comparisons()).filter(({ predicate }) => predicate.shipped);
  return `${shipped.length} artefacts, none left out`;
}

export async function checkBuilt(opened) {
  const [built, made] = [await opened.built(), await opened.provenance()];
  const compared = (await opened.comparisons()).filter(
    ({ predicate }) => built && predicate.shipped && predicate.rebuilt,
  );
  const expected = compared.map(({ subject, predicate }) => [
    subject[0].name,
    canonical(predicate.rebuilt.digest),
  ]);
  const found = subjectsOf(made);
  needFields("the provenance is not of what was compared:", found, new Map(expected));
  return `provenance of ${found.size} rebuilt files`;
}

/** Return the digests of the subjects of a provenance by their names. */
function subjectsOf(made) {
  return new Map((made?.subject ?? []).map(({ name, digest }) => [name, canonical(digest)]));
}

export async function checkProvenance(opened) {
  const digest = (await opened.provenance())?.digest ?? null;
  for (const { subject, predicate } of await opened.comparisons()) {
    const what = `the comparison of ${subject[0].name} names another provenance`;
    needEqual(what, predicate.provenance?.sha256, predicate.rebuilt ? digest : null);
  }
  return digest === null ? "nothing was built, so there is none" : `sha256 ${digest}`;
}

export async function checkNotCopied(opened) {
  const made = await opened.provenance();
  if (made === null) throw new NotNeeded("nothing was built");
  const inputs = made.predicate.buildDefinition.resolvedDependencies;
  const known = new Set(inputs.flatMap(({ digest }) => valuesOf(digest)));
  for (const { subject, predicate } of await opened.comparisons()) {
    const { verdict, shipped, rebuilt } = predicate;
    const files = [];
    if (shipped && IN_FAVOUR.includes(verdict)) files.push(shipped.published);
    if (rebuilt && CHANGED.includes(verdict)) files.push(rebuilt.digest);
    const copied = files.flatMap(valuesOf).some((value) => known.has(value));
    need(
      !copied,
      `${subject[0].name} was copied, not rebuilt`,
      verdict,
      "NOT_CHECKED (copied-input)",
    );
  }
  return `${inputs.length} inputs, none of them a file that is judged`;
}

/** Return the plain and the keyed digest of a file, as far as they are there. */
function valuesOf(digest) {
  return [digest.sha256, digest.hmac_sha256].filter(Boolean);
}

export async function checkVerdicts(opened) {
  const built = await opened.built();
  for (const statement of await opened.comparisons()) {
    const { verdict, ground } = statement.predicate;
    const expected = contradiction(statement, built);
    const what = `the verdict on ${statement.subject[0].name} does not follow from its digests`;
    need(expected === null, what, `${verdict} (${ground})`, expected);
  }
  return "every verdict follows from its digests";
}

export async function checkLedgers(opened) {
  const { artefacts } = await opened.report();
  const ledgers = new Map(
    artefacts.filter(({ ledger }) => ledger?.lines).map(({ name, ledger }) => [name, ledger]),
  );
  const digests = new Map();
  for (const [name, ledger] of ledgers) digests.set(name, await sha256(utf8(canonical(ledger))));
  const masked = (await opened.comparisons()).filter(({ predicate }) => predicate.maskLedger);
  const about = new Map(masked.map(({ subject, predicate }) => [subject[0].name, predicate]));
  const named = new Map([...about].map(([name, { maskLedger }]) => [name, valueOf(maskLedger)]));
  needFields("the report has another ledger of", digests, named);
  for (const [name, ledger] of ledgers) {
    const compared = comparedFile(about.get(name).shipped);
    const fits = compared?.digest.sha256 === ledger.sha256 && compared.size === ledger.size;
    need(fits, `the ledger of ${name} is of another file`, ledger.sha256, compared?.digest.sha256);
    const what = `the ledger of ${name} masks other bytes than its comparison says:`;
    needList(what, maskedBy(ledger).map(canonical), about.get(name).normalizers.map(canonical));
  }
  if (ledgers.size === 0) throw new NotNeeded("nothing was masked");
  return `${ledgers.size} ledgers of the report, each as it is signed`;
}

/** Return the normalizers of a ledger as a comparison names them. */
function maskedBy(ledger) {
  return [...bytesByNormalizer(ledger)].map(([name, masked]) => {
    const { reason, version } = ledger.lines.find((line) => line.normalizer === name);
    return { name, reason, version, masked };
  });
}

export async function checkGrafted(opened) {
  const [made, rebuilt] = [await opened.provenance("graft"), await opened.provenance()];
  const signed = (await opened.comparisons()).filter(
    ({ predicate }) => predicate.verdict === "IDENTICAL_SIGNED",
  );
  const grafted = signed.map(({ subject, predicate }) => [
    subject[0].name,
    canonical(predicate.signature.grafted.digest),
  ]);
  const found = subjectsOf(made);
  needFields("the provenance is not of the signed file:", found, new Map(grafted));
  if (made === null || rebuilt === null)
    throw new NotNeeded("no vendor's signature was put onto a rebuilt file");
  const [definition, first] = [made, rebuilt].map(({ predicate }) => predicate.buildDefinition);
  const equal = same(definition.externalParameters, first.externalParameters);
  need(equal, "the provenance of the signed files is of another build");
  const parts = definition.resolvedDependencies.map((one) => {
    const role = annotation(one, "role");
    return role === "rebuilt"
      ? [one.name, role, one.digest, annotation(one, "provenance")]
      : [one.name, role];
  });
  const wanted = signed.flatMap(({ subject: [{ name }], predicate }) => [
    [name, "rebuilt", predicate.rebuilt?.digest ?? null, rebuilt.digest],
    [name, "signature"],
  ]);
  needList(
    "the signed files are made of other parts:",
    parts.map(canonical),
    wanted.map(canonical),
  );
  const listed = made.predicate.runDetails.byproducts.length;
  need(listed === 0, "the provenance of the signed files names by-products", listed, 0);
  return `provenance of ${found.size} signed files`;
}

async function deltas(opened) {
  return (await opened.comparisons()).filter(({ predicate }) => predicate.delta);
}

export async function checkDeltas(opened) {
  const found = await deltas(opened);
  if (found.length === 0) throw new NotNeeded("nothing in the bundle is a delta");
  const [made, closed, compared] = [
    await opened.provenance(),
    await opened.closed(),
    await opened.comparisons(),
  ];
  const inputs = made?.predicate.buildDefinition.resolvedDependencies ?? [];
  const bases = inputs
    .filter((one) => annotation(one, "role") === "base")
    .map(({ digest }) => digest.sha256 ?? null);
  for (const statement of found) {
    const { name } = statement.subject[0];
    const base = statement.predicate.delta.base.digest.sha256 ?? null;
    need(
      made === null || closed || bases.includes(base),
      `the base of ${name} is no base of the build`,
      base,
    );
    const odd = deltaContradiction(statement, compared);
    need(
      odd === null,
      `${name} leads to another file`,
      valueOf(statement.predicate.delta.target),
      odd,
    );
  }
  return `${found.length} deltas, each from a base of the build to a file of the run`;
}

export async function checkBases(opened) {
  const resting = (await deltas(opened)).filter(({ predicate }) =>
    IN_FAVOUR.includes(predicate.verdict),
  );
  if (resting.length === 0) throw new NotNeeded("no verdict in favour of a file rests on a base");
  const found = [];
  for (const statement of resting) found.push(await baseOf(opened, statement));
  return [...new Set(found)].join("; ");
}

/** Return which run judged the base of a delta, if a bundle of it is given and is sound. */
async function baseOf(opened, { subject: [{ name }], predicate }) {
  const { base } = predicate.delta;
  const { id } = await opened.card();
  const isOf = ({ result }) =>
    result.center === id && result.run === base.run && result.release === base.release;
  const given = opened.bases.find(isOf);
  if (given === undefined) {
    const what = `the base of ${name} was judged in another run, whose bundle is not given`;
    throw new Unchecked(
      sentence(what, `${opened.bases.length} bundles`, `run ${base.run} of ${base.release}`),
    );
  }
  for (const { step, status, message } of given.result.steps) {
    need(status !== "wrong", `the bundle of the base of ${name} proves nothing`, message);
    if (status === "unchecked" && step !== "bases") {
      throw new Unchecked(sentence(`the bundle of the base of ${name} cannot be checked`, message));
    }
  }
  const compared = (await given.opened.comparisons()).find(
    ({ digest }) => digest === base.comparison?.sha256,
  );
  need(
    compared !== undefined,
    `the base of ${name} is of another comparison`,
    `run ${base.run} of ${base.release}`,
  );
  need(
    same(compared.subject[0].digest, base.digest),
    `the base of ${name} was judged as another file`,
  );
  const { verdict } = compared.predicate;
  need(IN_FAVOUR.includes(verdict), `the base of ${name} was not reproduced`, verdict);
  return `${base.release} was judged in run ${base.run}`;
}

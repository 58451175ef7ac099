// Checks that all parts are about one run, and describe it in the same way
// (pipelines/bundle/check/run_consistency.py).
import { sha256 } from "./bytes.js";
import { need, needEqual, needFields, needList, NotNeeded, Wrong } from "./errors.js";
import { canonical } from "./json.js";
import { MODELS } from "./models.js";
import { refuse } from "./records.js";
import { annotation } from "./statements.js";
import { same, valueOf } from "./verdict_rules.js";

const { purposes } = MODELS.words;

export async function checkReport(opened) {
  const [report, about] = [await opened.report(), await opened.about()];
  const release = `${report.vendor}/${report.product}@${report.version}`;
  needEqual("the report is of another release", release, about.release);
  needEqual("the report is of another center", report.center, (await opened.card()).id);
  needEqual("the report is of another run", report.run, about.run);
  return `run ${about.run} of ${about.release}`;
}

export async function checkSignedReport(opened) {
  const attempts = await opened.attempts();
  if (!attempts.some(({ predicate }) => predicate.report)) {
    throw new NotNeeded("no statement of format version 1 names the report: it is not signed");
  }
  const found = await sha256((await opened.members()).get("report.json"));
  for (const { predicate } of attempts) {
    needEqual(`attempt ${predicate.number} names another report`, valueOf(predicate.report), found);
  }
  return `sha256 ${found}, which every attempt names`;
}

export async function checkRun(opened) {
  const { id } = await opened.card();
  await refuse(opened, `is not about a run of center ${id}`, "misplaced");
  const about = await opened.about();
  const [{ leaf }] = (await opened.leaves()).values();
  needEqual("the leaves are of another release", leaf.release, about.release);
  const nameOf = (one) => `${one.run} of ${one.release}`;
  for (const [name, one] of await references(opened)) {
    needEqual(`${name} is about another run:`, nameOf(one), nameOf(about));
  }
  for (const [name, { statement }] of await opened.records()) {
    const other = statement?.about ?? null;
    const apart =
      name.startsWith("statements/") || other === null || nameOf(other) !== nameOf(about);
    need(apart, `${name} is not of another run`, about.run, "it among the statements");
  }
  return `${about.release}, center ${id}, run ${about.run}`;
}

/** Return what each statement of the run says that it is about, by name. */
async function references(opened) {
  const all = [...(await opened.verified())].map(([name, { statement }]) => [
    name,
    statement.about,
  ]);
  return all.filter(([, about]) => about !== null);
}

export async function checkTimes(opened) {
  const times = (await opened.attempts()).map(({ predicate }) => predicate);
  for (const type of ["rebuild", "graft"]) {
    const made = await opened.provenance(type);
    if (made !== null) times.push(made.predicate.runDetails.metadata);
  }
  const found = new Map(times.map((one) => [`${one.startedOn} ${one.finishedOn}`, one]));
  need(found.size <= 1, "the statements are of different times", found.size, 1);
  const { run } = await opened.about();
  for (const { startedOn, finishedOn } of found.values()) {
    const named = run.startsWith(`${startedOn.replace(/[-:]/g, "")}-`) && startedOn <= finishedOn;
    need(
      named,
      "the times are not those of the run",
      `${startedOn} to ${finishedOn}`,
      run.slice(0, 16),
    );
    for (const { subject, predicate } of await opened.comparisons()) {
      needEqual(
        `${subject[0].name} was compared at another time than the end of the run`,
        predicate.comparedOn,
        finishedOn,
      );
    }
  }
  return "started and finished when the run's name says";
}

export async function checkClaim(opened) {
  const expected = valueOf((await opened.about()).claim);
  for (const [name, about] of await references(opened)) {
    needEqual(`${name} is about another claim`, valueOf(about.claim), expected);
  }
  if (expected === null)
    throw new NotNeeded("there is no claim: the run ended before the inputs were known");
  return `${expected} in every statement`;
}

export async function checkScope(opened) {
  const found = (await opened.comparisons()).map(({ predicate }) => valueOf(predicate.scope));
  for (const scope of found) needEqual("a comparison is of another scope", scope, found[0]);
  if (found[0] === null)
    throw new NotNeeded("the comparisons are of format version 1, which names no scope");
  return found.length ? `${found[0]} in every comparison` : "no comparison";
}

export async function checkAttempts(opened) {
  const signed = (await opened.attempts()).map(({ predicate }) => predicate);
  const numbered = signed.every(({ number }, index) => number === index + 1);
  const told = signed
    .slice(0, 8)
    .map(({ number, purpose }) => `${number} ${purpose}`)
    .join(", ");
  const expected = "1 judged, then retries, then one confirming, then one for the run";
  need(
    numbered && inOrder(signed.map(({ purpose }) => purpose)),
    "the attempts are out of order",
    told || "none",
    expected,
  );
  return `${signed.length} attempts: ${await opened.outcome()}`;
}

function inOrder(listed) {
  const ranks = listed.map((purpose) => purposes.indexOf(purpose));
  const once = purposes.every(
    (one) => one === "retry" || listed.filter((purpose) => purpose === one).length < 2,
  );
  const sorted = ranks.every((rank, index) => index === 0 || ranks[index - 1] <= rank);
  return ["judged", "run"].includes(listed[0]) && once && sorted;
}

export async function checkSeal(opened) {
  const [seal, built, judged] = [await opened.seal(), await opened.built(), await opened.judged()];
  need(
    built === (seal !== null),
    "a seal without a build, or none of a build",
    seal ?? "no seal",
    built ? "a seal" : "no seal",
  );
  const attempts = await opened.attempts();
  const found = attempts.map(({ predicate }) => valueOf(predicate.seal));
  const expected = attempts.map((one) => (one === judged ? seal : null));
  const provenance = await opened.provenance();
  if (provenance !== null) {
    found.push(...written(provenance, "seal"));
    expected.push(seal);
  }
  needList("the statements have another seal:", found, expected);
  return seal === null ? "no seal, as nothing was built" : `${seal} in every statement`;
}

/** Return the digests under a name such as `seal` or `build.log` in a provenance. */
function written(provenance, name) {
  const listed = provenance.predicate.runDetails.byproducts;
  return listed
    .filter((one) => one.name === name && !annotation(one, "role"))
    .map((one) => valueOf(one.digest));
}

export async function checkLog(opened) {
  const [provenance, judged] = [await opened.provenance(), await opened.judged()];
  if (provenance === null || judged === null)
    throw new NotNeeded("nothing was built, so there is no provenance to compare with");
  const log = valueOf(judged.predicate.log);
  needList(
    "the provenance has another build log:",
    written(provenance, "build.log"),
    log === null ? [] : [log],
  );
  return log === null ? "no build log in either" : `sha256 ${log}`;
}

async function robustness(opened) {
  const [found] = await opened.of("robustness");
  if (found === undefined)
    throw new NotNeeded("no robustness rebuild was made, or none is in the bundle");
  return found;
}

export async function checkTested(opened) {
  const [{ subject, predicate: test }, judged] = [await robustness(opened), await opened.judged()];
  if (judged === null || !(await opened.built()))
    throw new Wrong("a robustness test of a run without a judged build");
  needEqual("the robustness test is of another attempt", test.judged.sha256, judged.digest);
  const what = "the robustness test is about other artefacts than its attempt:";
  needList(what, subject.map(canonical), judged.subject.map(canonical));
  const later = test.testedOn >= judged.predicate.finishedOn;
  need(
    later,
    "the robustness rebuild ended before the run did",
    test.testedOn,
    `${judged.predicate.finishedOn} or later`,
  );
  const moved = test.moved.map(({ factor }) => factor).join(", ");
  return `${test.result}, ${moved} varied: no part of a verdict`;
}

export async function checkMoved(opened) {
  const [{ subject, predicate: test }, made] = [
    await robustness(opened),
    await opened.provenance(),
  ];
  const what = "the robustness rebuild was compared with other bytes of";
  const compared = test.artefacts
    .filter(({ judged }) => judged)
    .map(({ name, judged }) => [name, canonical(judged)]);
  const built = (made?.subject ?? []).map(({ name, digest }) => [name, canonical(digest)]);
  needFields(what, new Map(compared), new Map(built));
  const names = subject.map(({ name }) => name);
  needList(
    what,
    test.artefacts.map(({ name }) => name),
    names,
  );
  const environment = made?.predicate.buildDefinition.externalParameters.environment;
  if (environment) needOrigins(test, environment); // that of a private release is not published
  const kept = test.artefacts.filter((artefact) => artefact.same).length;
  return `${kept} of ${names.length} artefacts had the same bytes`;
}

/** Require factors to be moved from what the provenance says that the run had. */
function needOrigins(test, { hostname, timezone, locale, folderOrder }) {
  const known = { hostname, timezone, locale, "folder-order": folderOrder };
  for (const varied of test.moved) {
    needEqual(
      `${varied.factor} was moved from somewhere else`,
      varied.from,
      known[varied.factor] ?? varied.from,
    );
  }
}

export async function checkExplained(opened) {
  const [statement] = await opened.of("explanation");
  if (statement === undefined)
    throw new NotNeeded("nothing explains the run, or nothing of it is in the bundle");
  const { subject, predicate: explained } = statement;
  for (const { predicate } of await opened.attempts()) {
    const later = explained.explainedOn >= predicate.finishedOn;
    need(
      later,
      "the run was explained before its end",
      explained.explainedOn,
      `${predicate.finishedOn} or later`,
    );
  }
  const compared = new Map((await opened.comparisons()).map((one) => [one.subject[0].name, one]));
  for (const [index, about] of explained.artefacts.entries()) {
    const comparison = compared.get(about.name);
    needEqual(
      `the explanation of ${about.name} names another comparison`,
      about.comparison.sha256,
      comparison?.digest,
    );
    if (comparison === undefined) continue;
    need(
      same(subject[index], comparison.subject[0]),
      `the explanation of ${about.name} is about other bytes`,
    );
    needFollowing(about, comparison.predicate);
  }
  const causes = explained.artefacts.reduce((sum, about) => sum + about.causes.length, 0);
  return `${explained.artefacts.length} artefacts, ${causes} causes: no part of a verdict`;
}

function needFollowing(about, comparison) {
  const told = about.explanation;
  const bare = !(about.causes.length || about.confirmation || told.json || told.html);
  const { verdict, rebuilt, shipped } = comparison;
  need(
    bare || verdict === "DIFFERENT",
    `${about.name} has no difference to explain`,
    verdict,
    "DIFFERENT",
  );
  const again = about.rebuilt;
  if (!again || !rebuilt || !shipped) return;
  const expected = same(again, rebuilt.digest)
    ? "same"
    : same(again, shipped.published)
      ? "shipped"
      : "other";
  needEqual(`what the confirming rebuild left of ${about.name}`, about.confirmation, expected);
}

// Checks of bytes: form, members, evidence, and files that a reader has
// (pipelines/bundle/check/members.py).
import { byCodePoints, hmacSha256, sameBytes, sha256, textOf, utf8 } from "./bytes.js";
import {
  need,
  needEqual,
  needFields,
  needList,
  NotNeeded,
  sentence,
  Unchecked,
  Wrong,
} from "./errors.js";
import { canonical } from "./json.js";
import { refuse } from "./records.js";
import { annotation, comparedFile } from "./statements.js";
import { MEDIA_TYPE, needMembers, sumsOf } from "./tar.js";
import { valueOf, worstVerdict } from "./verdict_rules.js";

const KINDS = ["provenance", "comparison", "attempt", "robustness", "explanation", "seal"];

export async function checkForm(opened) {
  const { members } = await opened.bundle();
  return `${MEDIA_TYPE}, ${members.size} members, ${opened.bytes.length} bytes`;
}

export async function checkKnownMembers(opened) {
  needMembers(await opened.members());
  return "all that belongs to a bundle is there, and nothing else";
}

export async function checkDigests(opened) {
  const { members, sums } = await opened.bundle();
  const fits = sameBytes(sums, await sumsOf(members));
  need(fits, "SHA256SUMS does not fit the members");
  return `SHA-256 of ${members.size} members`;
}

export async function checkCard(opened) {
  const card = await opened.card();
  return `center ${card.id}, builder ${card.builder_id}`;
}

export async function checkKeys(opened) {
  const [keys, card] = [await opened.keys(), await opened.card()];
  const found = new Map([...keys].map(([use, key]) => [use, key.keyid]));
  const named = new Map(card.keys.map((key) => [key.use, key.keyid]));
  needFields("the keys are not those on the center's card:", found, named);
  return `keys for ${[...found.keys()].join(", ")}`;
}

export async function checkEnvelopes(opened) {
  const digests = new Set();
  for (const [name, envelope] of await opened.envelopes()) {
    await needCanonical(opened, name, envelope);
    need(
      !digests.has(envelope.digest),
      `${name} is in the bundle twice`,
      null,
      "every statement once",
    );
    digests.add(envelope.digest);
  }
  return `${digests.size} envelopes`;
}

/** Require the member `name` to be the canonical JSON of its envelope. */
export async function needCanonical(opened, name, envelope) {
  const written = textOf((await opened.members()).get(name)) === envelope.canonical;
  need(written, `${name} is not canonical`, null, "canonical JSON (RFC 8785)");
}

export async function checkSchema(opened) {
  await refuse(opened, "is no statement of its type", "unreadable");
  for (const [name, type] of await opened.unknown()) {
    throw new Unchecked(sentence(`${name} has a predicate that this version does not know`, type));
  }
  return `${(await opened.verified()).size} statements`;
}

export async function checkKinds(opened) {
  const counts = new Map(KINDS.map((kind) => [kind, 0]));
  for (const [name, { statement }] of await opened.verified()) {
    const { kind } = statement;
    need(counts.has(kind), `${name} is not about a run`, kind, KINDS.join(", "));
    counts.set(kind, counts.get(kind) + 1);
    needEqual(
      "a statement has the name of another",
      name,
      `statements/${kind}-${counts.get(kind)}.dsse.json`,
    );
  }
  for (const kind of ["robustness", "explanation"]) {
    need(counts.get(kind) <= 1, `the run has more than one ${kind} statement`, counts.get(kind), 1);
  }
  const made = (await opened.of("provenance")).map(
    ({ predicate }) => predicate.buildDefinition.buildType,
  );
  need(new Set(made).size === made.length, "the run has more than one provenance of a build type");
  return [...counts]
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");
}

export async function checkEvidence(opened) {
  const [named, evidence] = [await namedEvidence(opened), await opened.folder("evidence/")];
  for (const [name, data] of evidence) {
    const promised = name.slice("evidence/".length);
    needEqual(`${name} holds something else`, await sha256(data), promised);
    need(named.has(promised), `${name} is named by no statement`, null, "evidence of this run");
  }
  if (evidence.length === 0) throw new NotNeeded("the bundle has no further objects");
  return `${evidence.length} objects, each named by a statement`;
}

/** Return the plain digests of the evidence that the statements name. */
async function namedEvidence(opened) {
  const found = [];
  for (const kind of ["attempt", "robustness"]) {
    found.push(...(await opened.of(kind)).map(({ predicate }) => predicate.log));
  }
  for (const { predicate } of await opened.comparisons()) {
    const { explanation, maskLedger, rebuilt, shipped } = predicate;
    found.push(
      explanation?.json,
      explanation?.html,
      maskLedger,
      rebuilt?.digest,
      comparedFile(shipped)?.digest,
    );
  }
  for (const { predicate } of await opened.of("explanation")) {
    found.push(predicate.document, predicate.confirming?.log);
    for (const one of predicate.artefacts)
      found.push(one.explanation.json, one.explanation.html, one.rebuilt);
  }
  const listed = (await opened.provenance())?.predicate.runDetails.byproducts ?? [];
  found.push(...listed.filter((one) => one.name !== "seal").map((one) => one.digest));
  return new Set(found.map((digest) => digest?.sha256).filter(Boolean));
}

export async function checkByProducts(opened) {
  const provenance = await opened.provenance();
  if ((await opened.built()) && provenance === null)
    throw new NotNeeded("there is no provenance, which would name them");
  return `${provenance === null ? 0 : byProductLines(provenance).length} by-products`;
}

/** Return the lines of the seal for the by-products of a build. */
function byProductLines(provenance) {
  const listed = provenance.predicate.runDetails.byproducts;
  return listed
    .filter((one) => annotation(one, "role") === "by-product")
    .map(({ name, digest, annotations }) => {
      const size = annotations.size ?? "";
      const keyed =
        digest.hmac_sha256 !== undefined &&
        digest.sha256 === undefined &&
        /^[0-9]{1,15}$/.test(size);
      need(
        keyed,
        `the by-product ${name} makes no line of the seal`,
        null,
        "a keyed digest alone, and a size",
      );
      return { name, size: Number(size), hmac: digest.hmac_sha256 };
    });
}

export async function checkFiles(opened) {
  if (opened.files.length === 0) throw new NotNeeded("no file was given");
  const answers = await fileAnswers(opened);
  for (const [index, answer] of answers.entries()) {
    if (answer.verdict === null) await refuseFile(opened, opened.files[index]);
  }
  return answers.map((answer) => `${answer.file} is ${answer.artefact}`).join(", ");
}

/** Return what the statements say about each given file; of several verdicts the worst. */
export async function fileAnswers(opened) {
  const comparisons = await opened.comparisons();
  return opened.files.map(({ name, sha256: digest }) => {
    const about = comparisons.filter(({ subject }) => subject[0].digest.sha256 === digest);
    const worst = worstVerdict(about.map(({ predicate }) => predicate.verdict));
    const first = about.find(({ predicate }) => predicate.verdict === worst);
    const artefact = first?.subject[0].name ?? null;
    return { file: name, sha256: digest, artefact, verdict: about.length ? worst : null };
  });
}

async function refuseFile(opened, file) {
  const comparisons = await opened.comparisons();
  for (const { subject, predicate } of comparisons) {
    const { shipped, rebuilt } = predicate;
    for (const [what, seen] of [
      ["served", comparedFile(shipped)],
      ["rebuilt", rebuilt],
    ]) {
      if (seen?.digest.sha256 !== file.sha256) continue;
      const told = `${file.name} is what was ${what} as ${subject[0].name}, and is not the published file`;
      throw new Wrong(sentence(told, file.sha256, shipped?.published.sha256));
    }
  }
  const altered = comparisons.find(
    ({ subject, predicate }) => subject[0].name === file.name && predicate.shipped,
  );
  if (altered) {
    const expected = `sha256 ${valueOf(altered.predicate.shipped.published)}`;
    throw new Unchecked(
      sentence(
        `${file.name} has other bytes than the artefact of that name`,
        `sha256 ${file.sha256}`,
        expected,
      ),
    );
  }
  throw new Unchecked(
    sentence(`${file.name} is no artefact of this bundle`, `sha256 ${file.sha256}`),
  );
}

export async function checkSealed(opened) {
  const [seal, provenance] = [await opened.seal(), await opened.provenance()];
  if (seal === null) throw new NotNeeded("there is no seal");
  if (await opened.closed())
    throw new NotNeeded("the source is closed: of what else was sealed only the center knows");
  if (provenance === null) throw new NotNeeded("no provenance names what else was sealed");
  const key = utf8(canonical([(await opened.card()).id, (await opened.about()).run]));
  const lines = byProductLines(provenance);
  const atHand = await filesAtHand(opened);
  for (const { subject, predicate } of await opened.comparisons()) {
    const { rebuilt } = predicate;
    if (!rebuilt) continue;
    const data = atHand.get(rebuilt.digest.sha256);
    if (data === undefined)
      throw new NotNeeded("to make the seal again needs the bytes of every output");
    lines.push({ name: subject[0].name, size: rebuilt.size, hmac: await hmacSha256(key, data) });
  }
  lines.sort((one, two) => byCodePoints(one.name, two.name));
  const found = await sha256(utf8(canonical(lines)));
  needEqual("the seal is not of these files", found, seal);
  return `made again from ${lines.length} files: ${found}`;
}

/** Return the bytes of files that are given, or are in the bundle as evidence, by their digest. */
async function filesAtHand(opened) {
  const found = new Map(
    (await opened.folder("evidence/")).map(([name, data]) => [
      name.slice("evidence/".length),
      data,
    ]),
  );
  for (const { sha256: digest, data } of opened.files) if (data) found.set(digest, data);
  return found;
}

/** Require the signatures of `signers` alone, each under its own id, which is not signed. */
export function needKeyIds(name, envelope, signers) {
  const ids = envelope.signatures.map((signature) => signature.keyid);
  needList(
    `${name} names other keys than those that signed it:`,
    ids,
    signers.map((key) => key.keyid),
  );
}

// Witnesses and the quorum they form, in the words of C2SP tlog-policy (pipelines/policy/quorum.py).
import { need } from "./errors.js";
import { readNoteKey, WITNESS_KEY } from "./notes.js";

const MAX_TEXT = 256 * 2 ** 10;
const MAX_NAMES = 256;
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;
const NONE = "none";

/** Read the lines of a policy: {witnesses: [{name, key, url}], groups, name}; throws `Wrong`. */
export async function readQuorum(text) {
  need(
    typeof text === "string" && text.length <= MAX_TEXT,
    "the witnesses of the policy are no text, or too long",
  );
  const quorum = { witnesses: [], groups: [], name: null };
  const lines = (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
  for (const line of lines) {
    need(!CONTROL.test(line), "a line about witnesses has a control character");
    const [word, ...items] = line.replace(/^[ \t]+|[ \t]+$/g, "").split(/[ \t]+/);
    if (word !== "" && !word.startsWith("#")) await readLine(quorum, word, items);
  }
  need(quorum.name !== null, "the policy has no quorum", "no line", "one line `quorum <name>`");
  need(quorumText(quorum) === text, "the witnesses of the policy are not in canonical form");
  return quorum;
}

/** Say whether the witnesses `names` are enough; a name of no witness counts for nothing. */
export function isWitnessed(quorum, names) {
  if (quorum.name === NONE) return true;
  const witnessed = new Set(
    quorum.witnesses.map((one) => one.name).filter((name) => names.has(name)),
  );
  for (const group of quorum.groups) {
    const members = group.members.filter((member) => witnessed.has(member));
    if (members.length >= group.threshold) witnessed.add(group.name);
  }
  return witnessed.has(quorum.name);
}

function quorumText({ witnesses, groups, name }) {
  const lines = [
    ...witnesses.map((one) => [
      "witness",
      one.name,
      one.key.vkey,
      ...(one.url === undefined ? [] : [one.url]),
    ]),
    ...groups.map((group) => ["group", group.name, String(group.threshold), ...group.members]),
    ["quorum", name],
  ];
  return lines.map((parts) => `${parts.join(" ")}\n`).join("");
}

async function readLine(quorum, word, items) {
  const counts = { witness: [2, 3], group: [3, Infinity], quorum: [1, 1] }[word];
  need(counts !== undefined, "an unknown word about witnesses", word, "witness, group or quorum");
  need(
    items.length >= counts[0] && items.length <= counts[1],
    `a line is no ${word}`,
    `${items.length} items`,
  );
  if (word === "witness") await addWitness(quorum, ...items);
  else if (word === "group") addGroup(quorum, ...items);
  else setQuorum(quorum, items[0]);
}

async function addWitness(quorum, name, vkey, url) {
  needNew(quorum, name);
  const key = await readNoteKey(vkey, WITNESS_KEY);
  const twice = quorum.witnesses.some((one) => one.key.key.material === key.key.material);
  need(!twice, "one key is used by two witnesses", name, "a key of its own");
  quorum.witnesses.push({ name, key, url });
}

function addGroup(quorum, name, count, ...members) {
  const taken = new Set(quorum.groups.flatMap((group) => group.members));
  for (const member of members) {
    needKnown(quorum, member);
    need(
      !taken.has(member),
      "a member of a group is named twice",
      member,
      "every name in one group, once",
    );
    taken.add(member);
  }
  needNew(quorum, name);
  const counted = /^[1-9][0-9]{0,3}$/.test(count) ? Number(count) : 0;
  const threshold = { any: 1, all: members.length }[count] ?? counted;
  need(
    threshold >= 1 && threshold <= members.length,
    "a group of witnesses cannot be satisfied",
    count,
  );
  quorum.groups.push({ name, threshold, members });
}

function setQuorum(quorum, name) {
  need(quorum.name === null, "the policy has a second quorum", name, "one");
  if (name !== NONE) needKnown(quorum, name);
  quorum.name = name;
}

function namesOf(quorum) {
  return [...quorum.witnesses, ...quorum.groups].map((one) => one.name);
}

function needNew(quorum, name) {
  const names = namesOf(quorum);
  need(name !== NONE && !names.includes(name), "the name of a witness or group is taken", name);
  need(
    names.length < MAX_NAMES,
    "the policy has too many witnesses and groups",
    null,
    `at most ${MAX_NAMES}`,
  );
}

function needKnown(quorum, name) {
  need(
    namesOf(quorum).includes(name),
    "an unknown name among the witnesses",
    name,
    "a witness or group from a line above",
  );
}

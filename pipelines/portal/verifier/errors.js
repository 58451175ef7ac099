// How a check ends when it does not pass, as pipelines/bundle/check/result.py has it.

/** Two things that should agree, and do not; or bytes that do not follow their format. */
export class Wrong extends Error {}

/** Something that cannot be checked with what is at hand. It is never a pass. */
export class Unchecked extends Error {}

/** A check that would say more if more were given; nothing depends on it. */
export class NotNeeded extends Error {}

/** Return one line: what is wrong, what was found, what was expected, what to do. */
export function sentence(what, got, expected, todo) {
  let text = what;
  if (got !== null && got !== undefined) text += `; got ${shown(got)}`;
  if (expected !== null && expected !== undefined) text += `; expected ${shown(expected)}`;
  return todo ? `${text}. ${todo}` : text;
}

/** Throw `Wrong`, saying `what` is wrong, unless the condition holds. */
export function need(holds, what, got, expected, todo) {
  if (holds !== true) throw new Wrong(sentence(what, got, expected, todo));
}

/** The same, where two texts, numbers or nulls have to be equal. */
export function needEqual(what, got, expected, todo) {
  need((got ?? null) === (expected ?? null), what, got ?? "none", expected ?? "none", todo);
}

/** Require two maps of texts to be equal; the first field that differs is named. */
export function needFields(what, got, expected) {
  for (const name of new Set([...expected.keys(), ...got.keys()])) {
    const same = got.has(name) && expected.has(name) && got.get(name) === expected.get(name);
    need(
      same,
      `${what} ${shown(name)}`,
      got.get(name) ?? "nothing",
      expected.get(name) ?? "nothing",
    );
  }
}

/** Require two lists of texts to be equal; the first entry that differs is named. */
export function needList(what, got, expected) {
  const numbered = (list) => new Map(list.map((value, index) => [`entry ${index + 1}`, value]));
  needFields(what, numbered(got), numbered(expected));
}

/** Return foreign text as one line of ASCII, cut. */
export function shown(value) {
  const text = String(value).slice(0, 600);
  const line = text.replace(
    /[^ -~]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return line.length > 400 ? `${line.slice(0, 400)}...` : line;
}

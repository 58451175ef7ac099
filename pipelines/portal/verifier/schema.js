// The shapes of documents: what each field may hold, as `models.js` has it.
import { isPrintable, lengthOf } from "./bytes.js";
import { canonical, Fraction, isObject } from "./json.js";
import { Wrong, shown } from "./errors.js";
import { MODELS } from "./models.js";

const PATTERNS = new Map();
const TYPES = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  integer: (value) => typeof value === "number",
  number: (value) => typeof value === "number" || value instanceof Fraction,
  array: (value) => Array.isArray(value),
  object: isObject,
  null: (value) => value === null,
};
const AWARE = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * Check the shape of a value against the model `name`; throws `Wrong`.
 *
 * Returns the rules between fields that have to hold too, each with the value that it is about.
 */
export function shapeRules(name, value, what) {
  const rules = [];
  checkNode({ ref: name }, value, [], { rules, what });
  return rules;
}

/** Say whether text is a moment such as 2026-01-02T03:04:05Z, and there is such a moment. */
function isTime(text) {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) || text.startsWith("0000")) return false;
  const moment = new Date(text);
  return !Number.isNaN(moment.getTime()) && moment.toISOString() === text.replace("Z", ".000Z");
}

function refuse(path, context, expected) {
  const field = path.length ? path.join(".") : "the document";
  throw new Wrong(`${context.what} is malformed: ${shown(field)}: expected ${expected}`);
}

function checkNode(node, value, path, context) {
  if (node.null && value === null) return;
  if (node.choices) checkChoices(node.choices, value, path, context);
  if (node.ref !== undefined) checkReference(node.ref, value, path, context);
  if (node.type !== undefined && !TYPES[node.type](value)) refuse(path, context, node.type);
  if (node.const !== undefined && value !== node.const) refuse(path, context, shown(node.const));
  if (node.enum && !node.enum.includes(value)) refuse(path, context, node.enum.join(" or "));
  if (node.type === "string") checkString(node, value, path, context);
  if (node.type === "integer") checkInteger(node, value, path, context);
  if (node.type === "array") checkArray(node, value, path, context);
  if (node.type === "object") checkMap(node, value, path, context);
}

function checkChoices(choices, value, path, context) {
  for (const choice of choices) {
    const inner = { ...context, rules: [] };
    try {
      checkNode(choice, value, path, inner);
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      continue;
    }
    context.rules.push(...inner.rules);
    return;
  }
  refuse(path, context, "one of its forms");
}

function checkReference(name, value, path, context) {
  const shape = MODELS.shapes[name];
  if (!shape.properties) {
    checkNode(shape, value, path, context);
    return;
  }
  if (!isObject(value)) refuse(path, context, "an object");
  for (const field of shape.required) {
    if (!(field in value)) refuse([...path, field], context, "the field");
  }
  for (const field of Object.keys(value)) {
    const inside = [...path, field];
    if (!Object.hasOwn(shape.properties, field)) refuse(inside, context, "no such field");
    checkNode(shape.properties[field], value[field], inside, context);
  }
  for (const rule of shape.rules ?? []) context.rules.push([rule, value]);
}

function checkString(node, value, path, context) {
  const { minLength = 0, maxLength = Infinity } = node;
  const length = lengthOf(value);
  if (length < minLength || length > maxLength)
    refuse(path, context, `a length of ${minLength} to ${maxLength}`);
  if (node.pattern !== undefined && !patternOf(node.pattern).test(value))
    refuse(path, context, `text like ${node.pattern}`);
  if (node.printable && !isPrintable(value)) refuse(path, context, "printable characters");
  if (node.time === "exact" && !isTime(value))
    refuse(path, context, "a time such as 2026-01-02T03:04:05Z");
  if (node.time === "aware") {
    const found = AWARE.exec(value);
    if (!found || !isTime(`${found[1]}Z`)) refuse(path, context, "a time with its zone");
  }
}

function checkInteger(node, value, path, context) {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMaximum = Infinity } = node;
  if (value < minimum || value > maximum || value >= exclusiveMaximum)
    refuse(path, context, "a number within its bounds");
}

function checkArray(node, value, path, context) {
  const { minItems = 0, maxItems = Infinity } = node;
  if (value.length < minItems || value.length > maxItems)
    refuse(path, context, `${minItems} to ${maxItems} entries`);
  value.forEach((item, index) => checkNode(node.items ?? {}, item, [...path, index], context));
  if (node.uniqueItems && new Set(value.map(canonical)).size !== value.length)
    refuse(path, context, "each entry once");
}

function checkMap(node, value, path, context) {
  const names = Object.keys(value);
  if (names.length > (node.most ?? Infinity)) refuse(path, context, `at most ${node.most} entries`);
  for (const name of names) {
    const inside = [...path, name];
    checkNode({ type: "string", ...node.keys }, name, inside, context);
    checkNode(node.values, value[name], inside, context);
  }
}

function patternOf(pattern) {
  if (!PATTERNS.has(pattern)) PATTERNS.set(pattern, new RegExp(pattern, "u"));
  return PATTERNS.get(pattern);
}

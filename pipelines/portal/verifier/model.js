// Documents checked against their models: the shape of each field, then the rules between them.
import { sentence, shown, Wrong } from "./errors.js";
import { MODELS } from "./models.js";
import { REPORT_RULES } from "./report_rules.js";
import { shapeRules } from "./schema.js";
import { STATEMENT_RULES } from "./statement_rules.js";

const RULES = { ...STATEMENT_RULES, ...REPORT_RULES };

/** Return the rules that models name and nothing here implements: with any, nothing is checked. */
export function missingRules() {
  const named = Object.values(MODELS.shapes).flatMap((shape) => shape.rules ?? []);
  return named.filter((rule) => !Object.hasOwn(RULES, rule));
}

/** Require a value to be one of the model `name`; throws `Wrong`, naming `what` is malformed. */
export async function needModel(name, value, what) {
  for (const [rule, part] of shapeRules(name, value, what)) {
    const holds = await RULES[rule](part);
    if (holds !== true) {
      const broken = shown(rule.replaceAll("_", " "));
      throw new Wrong(
        sentence(`${what} is malformed: its fields contradict each other (${broken})`),
      );
    }
  }
}

// What has to hold between the fields of reports and cards.
import { fromHex, sha256 } from "./bytes.js";
import { MODELS } from "./models.js";
import { same, updateResult, verdictFollows } from "./verdict_rules.js";

const { words } = MODELS;
const REPRODUCED = ["IDENTICAL", "IDENTICAL_SIGNED", "EQUIVALENT"];

function isLedger(found) {
  return Boolean(found?.lines);
}

/** Return what the checks of an update leave of a finding's verdict; null where there were none. */
function updateOfFinding(finding) {
  const { delta, manifest } = finding;
  if (delta) return updateResult(delta.refused?.fault, delta.judged === "applied");
  return manifest ? updateResult(manifest.refused?.fault, true) : null;
}

/** Say whether nothing can rest on the base of a delta. */
function isBaseRefused(base) {
  const judged = base.judged ?? null;
  return judged === null || judged.is_delta === true || !REPRODUCED.includes(judged.verdict);
}

/** Return the names of the normalizers of a ledger, sorted, with the bytes that each masks. */
export function bytesByNormalizer(ledger) {
  const sizes = new Map();
  for (const line of ledger?.lines ?? []) {
    sizes.set(line.normalizer, (sizes.get(line.normalizer) ?? 0) + line.length);
  }
  return new Map([...sizes].sort(([one], [two]) => (one < two ? -1 : 1)));
}

function digestsSupport(finding) {
  const shipped = finding.shipped ?? null;
  const rebuilt = finding.rebuilt ?? null;
  const { ledger, signature } = finding;
  const served = shipped?.sha256 ?? null;
  const size = shipped?.size ?? null;
  return verdictFollows(finding.verdict, {
    published: shipped?.published ?? null,
    served,
    equal: rebuilt === null ? null : rebuilt.sha256 === served && rebuilt.size === size,
    normalized: isLedger(ledger) && ledger.sha256 === served && ledger.size === size,
    grafted: Boolean(signature?.format) && signature.sha256 === served,
    update: updateOfFinding(finding),
  });
}

export const REPORT_RULES = {
  ShippedFact_published_copy: (s) =>
    (!s.from_vault || s.sha256 === s.published) && (!s.fetched_on || s.from_vault === true),
  LedgerLine_data_is_shipped: async (line) =>
    line.data.length === 2 * line.length && (await sha256(fromHex(line.data))) === line.shipped,
  MaskLedger_in_order: (ledger) => {
    let at = 0;
    let masked = 0;
    for (const line of ledger.lines) {
      if (line.offset < at) return false;
      at = line.offset + line.length;
      masked += line.length;
    }
    return at <= ledger.size && masked <= words.maxMasked;
  },
  CheckedDelta_holds: (d) =>
    Boolean(d.refused) ||
    Boolean(d.applied && d.expected && same(d.applied, d.expected) && !isBaseRefused(d.base)),
  Finding_verdict_holds: (finding) => {
    const { ledger, signature, verdict } = finding;
    if (!digestsSupport(finding)) return false;
    const names = isLedger(ledger) ? [...bytesByNormalizer(ledger).keys()] : [];
    if (!same(names, finding.normalizers ?? [])) return false;
    if (ledger && verdict !== (isLedger(ledger) ? "EQUIVALENT" : "DIFFERENT")) return false;
    const kept = signature?.format ? ["IDENTICAL_SIGNED", "EQUIVALENT"] : ["DIFFERENT"];
    return !signature || kept.includes(verdict);
  },
  CenterCard_a_key_a_use: (card) => {
    const uses = card.keys.map((key) => key.use);
    const ids = new Set(card.keys.map((key) => key.keyid));
    const sorted = [...new Set(uses)].sort();
    return same(uses, sorted) && uses.includes("statements") && ids.size === card.keys.length;
  },
};

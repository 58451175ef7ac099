// Which first policy the visitor trusts: the one whose fingerprint they have compared.
import { fromBase64, sha256 } from "../verifier/bytes.js";
import { shown, text } from "./texts.js";

const KEPT = "samebits.first-policy";
const FINGERPRINT = /^[0-9a-f]{64}$/;

/** The policies, and what the visitor has said about the first of them. */
export class Trust {
  /** `policies` are signed policies, oldest first, as bytes. */
  static async of(policies) {
    const first = JSON.parse(new TextDecoder().decode(policies[0]));
    const newest = JSON.parse(new TextDecoder().decode(policies.at(-1)));
    const payload = (envelope) => fromBase64(envelope.payload);
    const trust = new Trust();
    trust.policies = policies;
    trust.fingerprint = await sha256(payload(first));
    trust.version = JSON.parse(new TextDecoder().decode(payload(first))).version;
    trust.policy = JSON.parse(new TextDecoder().decode(payload(newest)));
    return trust;
  }

  /** What the visitor expects: typed now, or kept from before; empty for nothing. */
  get expected() {
    const typed = document.getElementById("expected").value.toLowerCase().replace(/[^0-9a-z]/g, "");
    return typed || kept();
  }

  /** Whether the visitor expects exactly this policy; null where they expect none. */
  get compared() {
    return this.expected ? this.expected === this.fingerprint : null;
  }

  /** Show the fingerprint, and how it compares; says whether that has changed. */
  show() {
    const before = this.shown;
    this.shown = this.compared;
    const groups = this.fingerprint.match(/.{1,8}/g).join(" ");
    document.getElementById("fingerprint").textContent = groups;
    const state = { true: "compared", false: "compared-other", null: "compared-not" }[this.compared];
    const told = document.getElementById("compared");
    told.textContent = text(state, { version: shown(this.version) });
    told.className = this.compared === false ? "is-suspect" : this.compared ? "is-confirmed" : "is-unchecked";
    document.getElementById("remember").disabled = this.compared !== true;
    document.getElementById("remember").checked = kept() === this.fingerprint;
    return before !== this.shown;
  }

  /** Keep the fingerprint in this browser, or forget it; only what was compared is kept. */
  remember(wanted) {
    try {
      if (wanted && this.compared && FINGERPRINT.test(this.expected)) localStorage.setItem(KEPT, this.expected);
      else localStorage.removeItem(KEPT);
    } catch {
      // The browser keeps nothing: it has to be compared again the next time.
    }
  }
}

function kept() {
  try {
    return localStorage.getItem(KEPT) ?? "";
  } catch {
    return "";
  }
}

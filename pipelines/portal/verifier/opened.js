// A bundle as its checks read it: each part is parsed once, when a check first needs it.
import { textOf, utf8 } from "./bytes.js";
import { readEnvelope } from "./dsse.js";
import { need } from "./errors.js";
import { canonical, readJson } from "./json.js";
import { readPublicKey } from "./keys.js";
import { readLeaf, readProof } from "./leaves.js";
import { needModel } from "./model.js";
import { LOG_KEY, noteKey, openCheckpoint } from "./notes.js";
import { centerOf, readPolicies } from "./policy.js";
import { readRecord } from "./records.js";
import { finalAttempt, unknownType } from "./statements.js";
import { MAX_CARD, MAX_REPORT, readBundle } from "./tar.js";
import { valueOf } from "./verdict_rules.js";

const ORIGINS = "samebits.example/centers/";
const SUFFIX = ".dsse.json";

/** What a reader relies on is in `trust`: {policies, fingerprint, keys, builder, now, maxAge}. */
export class OpenedBundle {
  #kept = new Map();

  constructor(bytes, trust, { files = [], bases = [] } = {}) {
    Object.assign(this, { bytes, trust, files, bases });
  }

  /** Return what `make` gives, made once; what it throws is thrown each time. */
  kept(name, make) {
    if (!this.#kept.has(name)) this.#kept.set(name, (async () => make())());
    return this.#kept.get(name);
  }

  bundle() {
    return this.kept("bundle", () => readBundle(this.bytes));
  }

  async members() {
    return (await this.bundle()).members;
  }

  /** Return the members of a folder, as pairs of a name and bytes. */
  async folder(prefix) {
    return [...(await this.members())].filter(([name]) => name.startsWith(prefix));
  }

  card() {
    return this.kept("card", async () => {
      const data = (await this.members()).get("center.json");
      const card = readJson(data, "the center's card", MAX_CARD);
      await needModel("CenterCard", card, "the center's card");
      need(
        textOf(data) === canonical(card),
        "the center's card is malformed",
        "JSON that is not canonical",
      );
      return card;
    });
  }

  /** Return the keys in the bundle by their use; they are not trusted. */
  keys() {
    return this.kept("keys", async () => {
      const found = new Map();
      for (const [name, data] of await this.folder("keys/")) {
        const key = await readPublicKey(data, name);
        need(
          textOf(data) === key.pem,
          `${name} is written in another way`,
          null,
          "PEM, as keys are made",
        );
        found.set(name.slice("keys/".length, -".pub".length), key);
      }
      return found;
    });
  }

  report() {
    return this.kept("report", async () => {
      const data = (await this.members()).get("report.json");
      const report = readJson(data, "the report", MAX_REPORT, { floats: true });
      await needModel("Report", report, "the report");
      return report;
    });
  }

  // What the reader trusts

  /** Return the policy in force, verified: {policy, digest, ...}; null when there is none. */
  signedPolicy() {
    return this.kept("policy", () => {
      const { policies, fingerprint, now } = this.trust;
      return policies === null ? null : readPolicies(policies, fingerprint, now);
    });
  }

  async policy() {
    return (await this.signedPolicy())?.policy ?? null;
  }

  /** Return the keys that may have signed the statements. */
  trusted() {
    return this.kept("trusted", async () => {
      const policy = await this.policy();
      if (policy !== null)
        return centerOf(policy, (await this.card()).id).keys.map((key) => key.key);
      return Promise.all(
        this.trust.keys.map((text) => readPublicKey(utf8(text), "the trusted key")),
      );
    });
  }

  /** Return the key of the log: the policy's, or the one in the bundle. */
  logKey() {
    return this.kept("log key", async () => {
      const [policy, { id }] = [await this.policy(), await this.card()];
      if (policy !== null) return centerOf(policy, id).log.key;
      const key = (await this.keys()).get("log");
      need(Boolean(key?.raw), "the bundle has no Ed25519 key of the log", null, "keys/log.pub");
      return noteKey(`${ORIGINS}${id}`, LOG_KEY, key);
    });
  }

  /** Return the center as its statements are believed: the policy's, or one of the keys at hand. */
  member() {
    return this.kept("member", async () => {
      const [policy, card] = [await this.policy(), await this.card()];
      if (policy !== null) return centerOf(policy, card.id);
      const trusted = await this.trusted();
      const keys = trusted.length ? trusted : [(await this.keys()).get("statements")];
      return {
        id: card.id,
        builder: card.builder_id,
        keys: keys.map((key) => ({ key, from: 0, until: null })),
      };
    });
  }

  // The statements

  /** Return the envelopes of the run, and of others among its leaves, by the name of their member. */
  envelopes() {
    return this.kept("envelopes", async () => {
      const found = new Map();
      for (const [name, data] of await this.members()) {
        if (name.endsWith(SUFFIX) && /^(?:statements|log)\//.test(name))
          found.set(name, await readEnvelope(data, name));
      }
      return found;
    });
  }

  /** Return of each envelope {statement, key, index}, or {excluded, detail} where it does not count. */
  records() {
    return this.kept("records", async () => {
      const found = new Map();
      for (const [name, envelope] of await this.envelopes())
        found.set(name, await readRecord(this, name, envelope));
      return found;
    });
  }

  /** Return predicate types that are not known here, by the name of their member. */
  unknown() {
    return this.kept("unknown", async () => {
      const found = new Map();
      for (const [name, { payload }] of await this.envelopes()) {
        const type = unknownType(payload, name);
        if (type !== null) found.set(name, type);
      }
      return found;
    });
  }

  /** Return the verified statements of the run by the name of their member, in order of numbers. */
  verified() {
    return this.kept("verified", async () => {
      const own = [...(await this.records())].filter(
        ([name, one]) => name.startsWith("statements/") && one.statement,
      );
      return new Map(own.sort(([one], [two]) => numberOf(one) - numberOf(two)));
    });
  }

  /** Return the statements of the run of one kind, in the order of their numbers. */
  async of(kind) {
    const all = [...(await this.verified()).values()].map((record) => record.statement);
    return all.filter((statement) => statement.kind === kind);
  }

  comparisons() {
    return this.of("comparison");
  }

  attempts() {
    return this.of("attempt");
  }

  /** Return the provenance of a build type, `rebuild` or `graft`; null without it. */
  async provenance(type = "rebuild") {
    const named = `https://samebits.example/${type}/v1`;
    const all = await this.of("provenance");
    return all.find(({ predicate }) => predicate.buildDefinition.buildType === named) ?? null;
  }

  /** Return the run, as its first statement names it; the others are compared with that. */
  about() {
    return this.kept("about", async () => {
      const all = [...(await this.verified()).values()].map((record) => record.statement.about);
      const found = all.find((about) => about !== null);
      need(found !== undefined, "the bundle has no statement in its log", null, "those of a run");
      return found;
    });
  }

  /** Return the attempt with the outcome of the run; null without any. */
  async judged() {
    return finalAttempt(await this.attempts());
  }

  async outcome() {
    return (await this.judged())?.predicate.outcome ?? null;
  }

  async built() {
    return (await this.outcome()) === "BUILT";
  }

  /** Return what the run committed to, as the attempt with its outcome names it; null without. */
  async seal() {
    return valueOf((await this.judged())?.predicate.seal);
  }

  /** Say whether the source is closed, so that its digests are keyed ones. */
  async closed() {
    return (await this.attempts()).some(({ predicate }) => Boolean(predicate.claim?.hmac_sha256));
  }

  // The log

  /** Return the leaves and their proofs by their index, in order; nothing is verified yet. */
  leaves() {
    return this.kept("leaves", async () => {
      const members = await this.members();
      const names = [...members.keys()].filter((name) => name.startsWith("log/"));
      const indexes = [...new Set(names.map((name) => Number(name.slice(4).split(".")[0])))];
      const found = new Map();
      need(indexes.every(Number.isSafeInteger), "a leaf has an index that no log has");
      for (const index of indexes.sort((one, two) => one - two)) {
        const leaf = await readLeaf(members.get(`log/${index}.leaf`));
        found.set(index, { leaf, proof: readProof(members.get(`log/${index}.tlog-proof`)) });
      }
      return found;
    });
  }

  /** Return the index of each statement's leaf, the first of equal ones, by the digest of its PAE. */
  statementLeaves() {
    return this.kept("statement leaves", async () => {
      const placed = [...(await this.leaves())].filter(([, { leaf }]) => leaf.pae !== undefined);
      return new Map(placed.reverse().map(([index, { leaf }]) => [leaf.pae, index]));
    });
  }

  /** Return the checkpoint in the proofs, signed by the log. */
  checkpoint() {
    return this.kept("checkpoint", async () => {
      const [policy, key] = [await this.policy(), await this.logKey()];
      const witnesses = policy?.quorum.witnesses.map((witness) => witness.key) ?? [];
      const [{ proof }] = (await this.leaves()).values();
      return openCheckpoint(proof.checkpoint, { origin: key.name, keys: [key], witnesses });
    });
  }
}

function numberOf(name) {
  return Number(name.slice(0, -SUFFIX.length).split("-").at(-1));
}

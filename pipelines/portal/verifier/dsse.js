// DSSE envelopes: a payload, what it is, and who signed both (pipelines/evidence/dsse.py).
import { fromBase64, isPrintable, joined, lengthOf, sha256, toBase64, utf8 } from "./bytes.js";
import { need } from "./errors.js";
import { canonical, isObject, readJson } from "./json.js";
import { MAX_ENVELOPE } from "./tar.js";

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const MAX_SIGNATURES = 64;
const MAX_SIGNATURE = 16 * 2 ** 10;

/** Read an envelope: {payload, signatures: [{keyid, sig}], pae, digest, canonical}. */
export function readEnvelope(bytes, what) {
  return envelopeOf(readJson(bytes, what, MAX_ENVELOPE), PAYLOAD_TYPE, what);
}

/** Return an envelope of that payload type from plain data; nothing is verified yet. */
export async function envelopeOf(data, payloadType, what) {
  const fields = Object.keys(data).sort().join();
  need(
    data.payloadType === payloadType,
    `${what} is malformed`,
    data.payloadType ?? "no type",
    payloadType,
  );
  need(
    fields === "payload,payloadType,signatures",
    `${what} is malformed`,
    fields,
    "the fields of DSSE",
  );
  const payload = typeof data.payload === "string" ? fromBase64(data.payload) : null;
  need(payload !== null, `${what} is malformed`, "another payload", "base64 in its canonical form");
  const listed = Array.isArray(data.signatures) ? data.signatures : [];
  const counted = listed.length >= 1 && listed.length <= MAX_SIGNATURES;
  need(counted, `${what} is malformed`, `${listed.length} signatures`, `1 to ${MAX_SIGNATURES}`);
  const signatures = listed.map((one) => readSignature(one, what));
  const once = new Set(signatures.map((one) => one.keyid)).size === signatures.length;
  need(once, `${what} is malformed`, "two signatures", "one a key id");
  const pae = joined(
    `DSSEv1 ${utf8(payloadType).length} ${payloadType} ${payload.length} `,
    payload,
  );
  const plain = signatures.map(({ keyid, sig }) => ({ keyid, sig: toBase64(sig) }));
  const written = canonical({ payload: data.payload, payloadType, signatures: plain });
  return { payload, signatures, pae, digest: await sha256(pae), canonical: written };
}

function readSignature(data, what) {
  need(isObject(data), `${what} is malformed`, "another signature", "an object");
  const { keyid = "", sig, ...rest } = data;
  need(Object.keys(rest).length === 0, `${what} is malformed`, "a field more in a signature");
  const named = typeof keyid === "string" && lengthOf(keyid) <= 256 && isPrintable(keyid);
  need(named, `${what} is malformed`, "another key id", "up to 256 printable characters");
  const found = typeof sig === "string" ? fromBase64(sig) : null;
  need(
    found !== null && found.length >= 1 && found.length <= MAX_SIGNATURE,
    `${what} is malformed`,
    "another signature",
    "base64",
  );
  return { keyid, sig: found };
}

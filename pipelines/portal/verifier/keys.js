// Public keys: Ed25519 in its one form, as pipelines/evidence/publickey.py writes it.
//
// Keys of another type cannot be used here: whatever needs one is `Unchecked`.
import { fromBase64, fromHex, hexOf, joined, sameBytes, sha256, textOf, toBase64, utf8, webCrypto } from "./bytes.js";
import { need, sentence, Unchecked, Wrong } from "./errors.js";
import { canonical, readJson } from "./json.js";
import { MAX_KEY_FILE } from "./tar.js";

const SPKI = fromHex("302a300506032b6570032100"); // RFC 8410, in front of 32 bytes
const HEAD = "-----BEGIN PUBLIC KEY-----\n";
const TAIL = "\n-----END PUBLIC KEY-----\n";
const FIELD = 2n ** 255n - 19n;
const EIGHT = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL_ORDER = [0n, 1n, EIGHT, FIELD - EIGHT, FIELD - 1n];
const OTHER_TYPES = ["06092a864886f70d010101", "06072a8648ce3d0201"]; // RSA and ECDSA, in SubjectPublicKeyInfo
const OTHER_NAMES = ["rsa", "ecdsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384"];
const IMPORTED = new Map();

/** Return an Ed25519 key of 32 bytes, under securesystemslib's default key id; throws `Wrong`. */
export async function ed25519Key(raw, what = "the public key") {
  need(raw.length === 32 && isHonestPoint(raw), `${what} is no Ed25519 key that has a private key`);
  const material = hexOf(raw);
  const plain = { keytype: "ed25519", keyval: { public: material }, scheme: "ed25519" };
  const keyid = await sha256(utf8(canonical(plain)));
  return { keyid, raw, material: `ed25519 ${material}`, pem: `${HEAD}${toBase64(joined(SPKI, raw))}${TAIL}` };
}

/** Read a public key; throws `Wrong`, and `Unchecked` for a type that cannot be used here. */
export async function readPublicKey(bytes, what = "the public key") {
  need(bytes.length <= MAX_KEY_FILE, `${what} is too large`);
  const text = textOf(bytes) ?? "";
  if (text.trimStart().startsWith("{")) {
    const { keytype } = readJson(bytes, what, MAX_KEY_FILE);
    need(OTHER_NAMES.includes(keytype), `${what} is malformed`, keytype ?? "no type", "PEM, or a known type");
    throw otherType(what, keytype);
  }
  need(text.startsWith("-----BEGIN "), `${what} is malformed`, "something else", "one PEM block");
  need(text.startsWith(HEAD) && text.endsWith(TAIL), `${what} is malformed`, "another PEM block", "a public key");
  const der = fromBase64(text.slice(HEAD.length, -TAIL.length).replaceAll("\n", ""));
  need(der !== null && der.length > SPKI.length, `${what} is malformed`, "something else", "a public key in PEM");
  if (isOtherType(der)) throw otherType(what, "another one");
  need(sameBytes(der.subarray(0, SPKI.length), SPKI), `${what} is malformed`, "something else", "a public key");
  const key = await ed25519Key(der.subarray(SPKI.length), what);
  need(key.pem === text, `${what} is written in another way`, null, "PEM, as keys are made");
  return key;
}

/** Say whether `signature` over `message` is of this key. */
export async function verifies(key, signature, message) {
  const subtle = webCrypto();
  if (!IMPORTED.has(key.material)) {
    const made = subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
    IMPORTED.set(key.material, made.catch((error) => error));
  }
  const imported = await IMPORTED.get(key.material);
  if (imported instanceof Error) {
    if (imported.name !== "NotSupportedError") return false; // no point of the curve
    throw new Unchecked("this browser cannot verify Ed25519 signatures; take a newer one");
  }
  return signature.length === 64 && subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

/** Return the distinct keys that signed an envelope; `named` keys by their id, else any of them. */
export async function signersOf(envelope, keys) {
  const found = new Map();
  for (const { keyid, sig } of envelope.signatures) {
    const named = keys.filter((key) => key.keyid === keyid);
    for (const key of named.length ? named : keys) {
      if (await verifies(key, sig, envelope.pae)) {
        if (!found.has(key.material)) found.set(key.material, key);
        break;
      }
    }
  }
  return [...found.values()];
}

function isHonestPoint(raw) {
  const y = BigInt(`0x${hexOf(Uint8Array.from(raw).reverse())}`) & (2n ** 255n - 1n);
  return y < FIELD && !SMALL_ORDER.includes(y);
}

/** Say whether a SubjectPublicKeyInfo is of one of the other types that centers sign with. */
function isOtherType(der) {
  const start = hexOf(der.subarray(0, 40));
  return /^30(?:81..|82....|[0-7].)30/.test(start) && OTHER_TYPES.some((type) => start.includes(type));
}

function otherType(what, got) {
  return new Unchecked(sentence(`${what} is of a type that cannot be verified in a browser`, got, "Ed25519"));
}

/** Throw `Wrong` unless there is a key to verify anything with: no key would verify everything. */
export function needKeys(keys, what) {
  if (keys.length === 0) throw new Wrong(`${what} cannot be verified: no key is known`);
}

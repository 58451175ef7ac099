// Public keys, Ed25519 and ECDSA, in the one form that pipelines/evidence/publickey.py writes.
//
// Keys of another type cannot be used here: whatever needs one is `Unchecked`.
import {
  fromBase64,
  fromHex,
  hexOf,
  isPrintable,
  joined,
  sameBytes,
  sha256,
  textOf,
  toBase64,
  utf8,
  webCrypto,
} from "./bytes.js";
import { ecdsaKey } from "./ecdsa.js";
import { need, sentence, Unchecked, Wrong } from "./errors.js";
import { canonical, isObject, readJson } from "./json.js";
import { MAX_KEY_FILE } from "./tar.js";

const SPKI = fromHex("302a300506032b6570032100"); // RFC 8410, in front of 32 bytes
const HEAD = "-----BEGIN PUBLIC KEY-----\n";
const TAIL = "\n-----END PUBLIC KEY-----\n";
const FIELD = 2n ** 255n - 19n;
const EIGHT = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
const SMALL_ORDER = [0n, 1n, EIGHT, FIELD - EIGHT, FIELD - 1n];
const OTHER_KEYS =
  /^(?:ecdsa ecdsa-sha2-nistp(?:256|384|521)|rsa rsa[a-z0-9-]+|ml-dsa ml-dsa-[0-9/]+)$/;
const BLANKS = /^[\t-\r ]+|[\t-\r ]+$/g;
const IMPORTED = new Map();

/** Return an Ed25519 key of 32 bytes, under securesystemslib's default key id; throws `Wrong`. */
export async function ed25519Key(raw, what = "the public key") {
  need(raw.length === 32 && isHonestPoint(raw), `${what} is no Ed25519 key that has a private key`);
  const material = hexOf(raw);
  const plain = { keytype: "ed25519", keyval: { public: material }, scheme: "ed25519" };
  const keyid = await sha256(utf8(canonical(plain)));
  const pem = pemOf(joined(SPKI, raw));
  return { keyid, keytype: "ed25519", raw, material: `ed25519 ${material}`, pem, text: pem };
}

/**
 * Read a public key: `text` is its form in a policy, and `pem` that in a bundle.
 *
 * Throws `Wrong`, and `Unchecked` for a type that cannot be used here.
 */
export async function readPublicKey(bytes, what = "the public key") {
  need(bytes.length <= MAX_KEY_FILE, `${what} is too large`);
  const text = textOf(bytes) ?? "";
  if (text.trimStart().startsWith("{")) return keyOfJson(bytes, what);
  need(
    text.startsWith(HEAD) && text.endsWith(TAIL),
    `${what} is malformed`,
    "something else",
    "one public key in PEM",
  );
  const der = fromBase64(text.slice(HEAD.length, -TAIL.length).replaceAll("\n", ""));
  need(
    der !== null && pemOf(der) === text,
    `${what} is written in another way`,
    null,
    "PEM, as keys are made",
  );
  const ed25519 = der.length === SPKI.length + 32 && sameBytes(der.subarray(0, SPKI.length), SPKI);
  return ed25519 ? ed25519Key(der.subarray(SPKI.length), what) : otherKey(der, text, what);
}

/** Read a key of another type than Ed25519 in securesystemslib's key JSON. */
async function keyOfJson(bytes, what) {
  const plain = readJson(bytes, what, MAX_KEY_FILE);
  const { keyid, keytype, scheme, keyval } = plain;
  const fields = Object.keys(plain).sort().join();
  const named = [keyid, keytype, scheme].every(
    (one) => typeof one === "string" && one !== "" && isPrintable(one),
  );
  need(
    fields === "keyid,keytype,keyval,scheme" && named && keyid.length <= 256,
    `${what} is malformed`,
    fields,
    "key JSON",
  );
  need(
    isObject(keyval) && Object.keys(keyval).join() === "public",
    `${what} is malformed`,
    "another value",
    "PEM",
  );
  need(
    OTHER_KEYS.test(`${keytype} ${scheme}`),
    `${what} is malformed`,
    keytype,
    "PEM for Ed25519, or a known type",
  );
  need(typeof keyval.public === "string", `${what} is malformed`, "another value", "PEM");
  const found = await readPublicKey(utf8(`${keyval.public.replace(BLANKS, "")}\n`), what);
  need(found.keytype === keytype, `${what} is of another type than it says`, null, keytype);
  if (found.scheme !== scheme) throw otherType(what, scheme);
  return { ...found, keyid, text: `${canonical(plain)}\n` };
}

async function otherKey(der, pem, what) {
  const ecdsa = await ecdsaKey(der);
  if (ecdsa === null) {
    need(isRsa(der), `${what} is malformed`, "something else", "a public key");
    throw otherType(what, "RSA");
  }
  // securesystemslib names a key by a form of JSON in which line feeds stand as they are.
  const named = `{"keytype":"ecdsa","keyval":{"public":"${pem}"},"scheme":"${ecdsa.scheme}"}`;
  const keyid = await sha256(utf8(named));
  const plain = { keyid, keytype: "ecdsa", keyval: { public: pem }, scheme: ecdsa.scheme };
  const material = `spki ${await sha256(der)}`;
  return {
    ...ecdsa,
    keyid,
    keytype: "ecdsa",
    raw: null,
    material,
    pem,
    text: `${canonical(plain)}\n`,
  };
}

/** Say whether `signature` over `message` is of this key. */
export async function verifies(key, signature, message) {
  if (key.raw === null) return key.verifies(signature, message);
  const subtle = webCrypto();
  if (!IMPORTED.has(key.material)) {
    const made = subtle.importKey("raw", key.raw, { name: "Ed25519" }, false, ["verify"]);
    IMPORTED.set(
      key.material,
      made.catch((error) => error),
    );
  }
  const imported = await IMPORTED.get(key.material);
  if (imported instanceof Error) {
    if (imported.name !== "NotSupportedError") return false; // no point of the curve
    throw new Unchecked("this browser cannot verify Ed25519 signatures; take a newer one");
  }
  return (
    signature.length === 64 && subtle.verify({ name: "Ed25519" }, imported, signature, message)
  );
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

/** Return a SubjectPublicKeyInfo in PEM, in lines of 64 characters. */
function pemOf(der) {
  return `${HEAD}${toBase64(der)
    .match(/.{1,64}/g)
    .join("\n")}${TAIL}`;
}

function isRsa(der) {
  return /^308[12].{2,4}300d06092a864886f70d0101010500/.test(hexOf(der.subarray(0, 24)));
}

function otherType(what, got) {
  return new Unchecked(
    sentence(`${what} is of a type that cannot be verified in a browser`, got, "Ed25519"),
  );
}

/** Throw `Wrong` unless there is a key to verify anything with: no key would verify everything. */
export function needKeys(keys, what) {
  if (keys.length === 0) throw new Wrong(`${what} cannot be verified: no key is known`);
}

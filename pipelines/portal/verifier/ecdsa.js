// ECDSA keys and signatures, as securesystemslib writes them and WebCrypto verifies them.
import { fromHex, hexOf, joined, sameBytes, webCrypto } from "./bytes.js";

const CURVES = [
  [
    "ecdsa-sha2-nistp256",
    "P-256",
    "SHA-256",
    32,
    "3059301306072a8648ce3d020106082a8648ce3d030107034200",
  ],
  ["ecdsa-sha2-nistp384", "P-384", "SHA-384", 48, "3076301006072a8648ce3d020106052b81040022036200"],
  [
    "ecdsa-sha2-nistp521",
    "P-521",
    "SHA-512",
    66,
    "30819b301006072a8648ce3d020106052b8104002303818600",
  ],
].map(([scheme, namedCurve, hash, size, start]) => ({
  scheme,
  namedCurve,
  hash,
  size,
  start: fromHex(start),
}));

/**
 * Return the key in a SubjectPublicKeyInfo, as {scheme, verifies}; null for one of another type.
 *
 * The point has to be on its curve, and written in full.
 */
export async function ecdsaKey(der) {
  const found = CURVES.find(({ start }) => sameBytes(der.subarray(0, start.length), start));
  if (found === undefined || der.length !== found.start.length + 1 + 2 * found.size) return null;
  const { scheme, namedCurve, hash, size } = found;
  let key;
  try {
    key = await webCrypto().importKey("spki", der, { name: "ECDSA", namedCurve }, false, [
      "verify",
    ]);
  } catch {
    return null;
  }
  const verifies = async (signature, message) => {
    const raw = rawSignature(signature, size);
    return raw !== null && webCrypto().verify({ name: "ECDSA", hash }, key, raw, message);
  };
  return { scheme, verifies };
}

/** Return r and s of a signature in DER, as WebCrypto takes them; null for any other bytes. */
function rawSignature(der, size) {
  const long = der[1] === 0x81;
  const head = long ? 3 : 2;
  if (der[0] !== 0x30 || der.length - head !== der[head - 1] || (long && der[2] < 0x80))
    return null;
  const first = wholeNumber(der.subarray(head), size);
  const second = first && wholeNumber(der.subarray(head + first.length), size);
  if (!second || head + first.length + second.length !== der.length) return null;
  return joined(first.value, second.value);
}

/** Read a positive whole number in DER: its value in `size` bytes, and its whole length; or null. */
function wholeNumber(der, size) {
  const [type, count, high, next] = der;
  const bytes = der.subarray(2, 2 + count);
  if (type !== 0x02 || !(count >= 1) || bytes.length !== count || high >= 0x80) return null;
  if (high === 0 && count > 1 && next < 0x80) return null; // a zero too many
  const digits = hexOf(bytes).replace(/^(?:00)*/, "");
  if (digits.length > 2 * size) return null;
  return { value: fromHex(digits.padStart(2 * size, "0")), length: 2 + count };
}

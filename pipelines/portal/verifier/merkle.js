// The Merkle tree of RFC 6962: leaf and node hashes, and inclusion proofs.
import { hexOf, joined, sameBytes, sha256Bytes } from "./bytes.js";
import { need, Wrong } from "./errors.js";

const HASH_SIZE = 32;

/** Return the hash of one leaf (RFC 6962, 2.1). */
export function leafHash(data) {
  return sha256Bytes(joined(Uint8Array.of(0), data));
}

/** Return the hash of an inner node (RFC 6962, 2.1). */
export function nodeHash(left, right) {
  return sha256Bytes(joined(Uint8Array.of(1), left, right));
}

/**
 * Check that the tree of `size` leaves with `root` has the leaf with hash `leaf` at `index`.
 *
 * `proof` is the list of hashes from the leaf's sibling upwards. Throws `Wrong`.
 */
export async function verifyInclusion({ leaf, index, size, proof, root }) {
  const whole = [index, size].every(Number.isSafeInteger);
  need(
    whole && index >= 0 && index < size,
    "the tree has no such leaf",
    `leaf ${index}`,
    `less than ${size}`,
  );
  need(
    [leaf, root, ...proof].every((hash) => hash.length === HASH_SIZE),
    "an inclusion proof has a hash of another length",
  );
  let position = BigInt(index);
  let last = BigInt(size) - 1n;
  let found = leaf;
  for (const other of proof) {
    need(last > 0n, "an inclusion proof has another length", proof.length, "fewer hashes");
    if (position & 1n || position === last) {
      found = await nodeHash(other, found);
      while (!(position & 1n) && position !== 0n) {
        position >>= 1n;
        last >>= 1n;
      }
    } else {
      found = await nodeHash(found, other);
    }
    position >>= 1n;
    last >>= 1n;
  }
  need(last === 0n, "an inclusion proof has another length", proof.length, "more hashes");
  if (!sameBytes(found, root))
    throw new Wrong(`leaf ${index} is not in the tree of ${size} leaves with root ${hexOf(root)}`);
}

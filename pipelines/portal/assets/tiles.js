// A log as C2SP tlog-tiles publishes it: where its tiles are, and the proof of a leaf in them.
//
// Nothing here is verified: a proof that is made of wrong tiles does not lead to the root.
import { nodeHash } from "../verifier/merkle.js";

const HEIGHT = 8;
export const WIDTH = 256;
const HASH = 32;

/** Return the path of a tile, or of an entry bundle where `level` is "entries". */
export function tilePath(level, index, width) {
  const digits = String(index);
  const parts = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.../g);
  const last = parts.pop();
  const path = [...parts.map((part) => `x${part}`), last].join("/");
  return `tile/${level}/${path}${width === WIDTH ? "" : `.p/${width}`}`;
}

/** Return how wide the tile at a level is in a log of `size` leaves. */
export function tileWidth(level, index, size) {
  const there = Math.floor(size / WIDTH ** (level === "entries" ? 0 : level));
  return Math.min(WIDTH, there - index * WIDTH);
}

/** Return the leaves of an entry bundle: each has its length before it, as two bytes. */
export function leavesOf(bundle) {
  const leaves = [];
  let at = 0;
  while (at + 2 <= bundle.length) {
    const end = at + 2 + bundle[at] * 256 + bundle[at + 1];
    if (end > bundle.length) break;
    leaves.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return leaves;
}

/** Return the hashes of a tile. */
export function hashesOf(tile) {
  const hashes = [];
  for (let at = 0; at + HASH <= tile.length; at += HASH) hashes.push(tile.subarray(at, at + HASH));
  return hashes;
}

/**
 * Return the path of leaf `index` to the root of `size` leaves (RFC 6962, 2.1.1), the lowest first.
 *
 * `read(level, index)` gives the hashes of a tile, as wide as that tree has it.
 */
export async function inclusionProof(index, size, read) {
  const path = [];
  let start = 0;
  let stop = size;
  while (stop - start > 1) {
    const middle = start + below(stop - start);
    if (index < middle) {
      path.push(await rangeHash(middle, stop, read));
      stop = middle;
    } else {
      path.push(await rangeHash(start, middle, read));
      start = middle;
    }
  }
  return path.reverse();
}

/** Return the largest power of two that is smaller than a number above 1. */
function below(number) {
  let power = 1;
  while (power * 2 < number) power *= 2;
  return power;
}

/** Return the hash of leaves `start` to before `stop`, a subtree of the tree of `stop` leaves. */
async function rangeHash(start, stop, read) {
  const parts = [];
  for (let at = start; at < stop; ) {
    let level = 0;
    while (2 ** (level + 1) <= stop - at) level += 1;
    parts.push(await subtree(level, at / 2 ** level, read));
    at += 2 ** level;
  }
  let found = parts.pop();
  while (parts.length > 0) found = await nodeHash(parts.pop(), found);
  return found;
}

/** Return the hash of the 2**level leaves from index * 2**level on. */
async function subtree(level, index, read) {
  const height = level % HEIGHT;
  const first = index * 2 ** height;
  const tile = await read((level - height) / HEIGHT, Math.floor(first / WIDTH));
  let row = tile.slice(first % WIDTH, (first % WIDTH) + 2 ** height);
  if (row.length !== 2 ** height) throw new Error("a tile is too short");
  while (row.length > 1) {
    const above = [];
    for (let at = 0; at < row.length; at += 2) above.push(await nodeHash(row[at], row[at + 1]));
    row = above;
  }
  return row[0];
}

// Finds the bundles about a file: in the index of a portal, which only says where to look.
import { Unreadable } from "./sources.js";

const MAX_ENTRIES = 200;
const PATH = /^(?:bundles|releases)(?:\/(?!\.\.?(?:\/|$))[A-Za-z0-9._~+%-]+)+\/?$/;
const ROLES = ["published", "served", "rebuilt"];

/**
 * Return what the index has about a file: `[{release, page, artefact, role, bundles}]`.
 *
 * Empty for an unknown file. Raises `Unreadable` for an index in another form.
 */
export async function entriesOf(portal, sha256) {
  const prefix = sha256.slice(0, 2);
  const shard = await portal.files(prefix);
  if (shard?.schema !== "samebits/portal/files/v1" || shard.prefix !== prefix) {
    throw new Unreadable("the index is of another form");
  }
  const found = Object.hasOwn(shard.files, sha256) ? shard.files[sha256] : [];
  if (!Array.isArray(found) || found.length > MAX_ENTRIES || !found.every(isEntry)) {
    throw new Unreadable("the index is of another form");
  }
  return found;
}

function isEntry(one) {
  return (
    [one?.release, one?.artefact].every((text) => typeof text === "string") &&
    isPath(one.page) &&
    ROLES.includes(one.role) &&
    Array.isArray(one.bundles) &&
    one.bundles.length <= MAX_ENTRIES &&
    one.bundles.every(isBundle)
  );
}

function isBundle(one) {
  return (
    typeof one?.center === "string" &&
    isPath(one.path) &&
    Array.isArray(one.bases) &&
    one.bases.length <= MAX_ENTRIES &&
    one.bases.every(isPath)
  );
}

function isPath(path) {
  return typeof path === "string" && path.length < 2000 && PATH.test(path);
}

/** Return the policies of a portal, oldest first, as `{sha256, bytes}`; raises `Unreadable`. */
export async function policiesOf(portal) {
  const chain = await portal.policies();
  const listed = chain?.policies;
  if (chain?.schema !== "samebits/portal/policies/v1" || !Array.isArray(listed) || !listed.length) {
    throw new Unreadable("the policies are of another form");
  }
  return listed.map((one) => new TextEncoder().encode(JSON.stringify(one.envelope)));
}

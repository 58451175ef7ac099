// Where the page reads a portal: over HTTP, or from a copied folder beside the offline file.
//
// What is read is data of others. Nothing of it is believed before `check()` has verified it.

const LIMITS = { files: 32 << 20, policies: 32 << 20, bundle: 64 << 20 };
const PROPERTY = "--samebits";
const PACKED = /^"[A-Za-z0-9+\/=]+"$/;

/** Nothing readable is there: no portal, no network, or another answer than the expected one. */
export class Unreadable extends Error {}

/** Return the address of a path of the portal, whose names are percent-encoded already. */
export function address(root, path) {
  return new URL(path.split("/").map(encodeURIComponent).join("/"), root).href;
}

/** Reads a portal on the web server that this page came from. */
export class ServedPortal {
  constructor(root) {
    this.root = root;
  }

  async files(prefix) {
    return JSON.parse(new TextDecoder().decode(await this.#read(`files/${prefix}.json`, "files")));
  }

  async policies() {
    return JSON.parse(new TextDecoder().decode(await this.#read("policy/chain.json", "policies")));
  }

  async bundle(path) {
    return this.#read(path, "bundle");
  }

  async #read(path, kind) {
    const answer = await fetch(address(this.root, path), { cache: "no-cache" });
    if (!answer.ok) throw new Unreadable(`${path}: ${answer.status}`);
    const found = new Uint8Array(await answer.arrayBuffer());
    if (found.length > LIMITS[kind]) throw new Unreadable(`${path}: ${found.length} bytes`);
    return found;
  }
}

/**
 * Reads the copy of a portal in a folder, from a page of `file:`, which may not fetch.
 *
 * Each file has a twin that is a style sheet: one property with the packed bytes. It is read in a
 * frame in which no script runs, so that a folder of others can bring data and nothing else.
 */
export class CopiedPortal {
  constructor(root) {
    this.root = root;
  }

  async files(prefix) {
    return JSON.parse(new TextDecoder().decode(await this.#read(`files/${prefix}.css`, "files")));
  }

  async policies() {
    return JSON.parse(new TextDecoder().decode(await this.#read("policy/chain.css", "policies")));
  }

  async bundle(path) {
    return this.#read(`${path}.css`, "bundle");
  }

  async #read(path, kind) {
    const value = await property(address(this.root, path));
    if (!PACKED.test(value)) throw new Unreadable(path);
    const packed = Uint8Array.from(atob(value.slice(1, -1)), (one) => one.charCodeAt(0));
    return unpacked(packed, LIMITS[kind]);
  }
}

/** Return the property of a style sheet; raises `Unreadable` where there is none. */
async function property(url) {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-same-origin"); // no scripts
  frame.className = "loader";
  frame.title = url;
  const ready = new Promise((resolve) => {
    frame.onload = resolve;
  });
  document.body.append(frame);
  try {
    await ready;
    const inside = frame.contentDocument;
    const link = Object.assign(inside.createElement("link"), { rel: "stylesheet", href: url });
    await new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = () => reject(new Unreadable(url));
      inside.head.append(link);
    });
    return frame.contentWindow.getComputedStyle(inside.documentElement).getPropertyValue(PROPERTY).trim();
  } finally {
    frame.remove();
  }
}

/** Return what gzip packed; raises `Unreadable` for more than `limit` bytes. */
async function unpacked(packed, limit) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const pieces = [];
  let size = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    size += piece.value.length;
    if (size > limit) throw new Unreadable("it is too large");
    pieces.push(piece.value);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

// The log explorer: any leaf of a log, its proof, and the leaves beside it.
//
// The log is read as this portal publishes it, and verified here: the signature of its checkpoint,
// and the path from the leaf to the root in it. All texts that are shown are those of the page.
import { hexOf, textOf, toBase64 } from "../verifier/bytes.js";
import { Unchecked } from "../verifier/errors.js";
import { leafHash, verifyInclusion } from "../verifier/merkle.js";
import { LOG_KEY, WITNESS_KEY, openCheckpoint, readNoteKey } from "../verifier/notes.js";
import { WIDTH, hashesOf, inclusionProof, leavesOf, tilePath, tileWidth } from "./tiles.js";

const explorer = document.getElementById("explorer");
const field = (name) => explorer.querySelector(`[data-field="${name}"]`);
const fetched = new Map();
let asked = 0;

if (explorer) {
  explorer.hidden = false;
  document.getElementById("without-script").hidden = true;
  document.getElementById("leaf-form").addEventListener("submit", (event) => {
    event.preventDefault();
    window.location.hash = `#leaf-${Number.parseInt(document.getElementById("leaf-index").value, 10)}`;
  });
  window.addEventListener("hashchange", showAsked);
  showAsked();
}

/** Show the leaf that the address asks for, if it asks for one. */
async function showAsked() {
  const wanted = /^#leaf-([0-9]{1,15})$/.exec(window.location.hash);
  if (!wanted) return;
  const index = Number(wanted[1]);
  const turn = (asked += 1);
  document.getElementById("leaf-index").value = String(index);
  say("reading");
  let found;
  try {
    found = await proved(index);
  } catch (error) {
    const state = error instanceof Unchecked ? "unchecked" : "refuted";
    if (turn === asked) say(state, String(error.message).slice(0, 400));
    return;
  }
  if (turn !== asked) return; // another leaf was asked for in the meantime
  if (found === null) {
    say("absent");
    return;
  }
  fill(found);
  say("proved");
  explorer.scrollIntoView({ block: "start" });
}

/** Return a leaf with its proof; null where the log has none there. Throws what refutes it. */
async function proved(index) {
  const { origin, key, witnesses } = explorer.dataset;
  const keys = [await readNoteKey(key, LOG_KEY)];
  const names = new Map();
  for (const [name, vkey] of Object.entries(JSON.parse(witnesses))) {
    names.set(await readNoteKey(vkey, WITNESS_KEY), name);
  }
  const note = await object("checkpoint");
  const signed = await openCheckpoint(note, { origin, keys, witnesses: [...names.keys()] });
  const { size, root } = signed;
  if (index >= size) return null;
  const read = async (level, at) => hashesOf(await tile(level, at, size));
  const leaf = leavesOf(await tile("entries", Math.floor(index / WIDTH), size))[index % WIDTH];
  if (leaf === undefined) throw new Error("an entry bundle is too short");
  const hash = await leafHash(leaf);
  const proof = await inclusionProof(index, size, read);
  await verifyInclusion({ leaf: hash, index, size, proof, root });
  const cosigners = signed.cosignatures.map((one) => names.get(one.key) ?? one.key.name);
  return { index, leaf, hash, proof, size, root, note: textOf(note), cosigners };
}

/** Return a tile as a log of `size` leaves has it, or the full one where the partial is gone. */
async function tile(level, index, size) {
  const width = tileWidth(level, index, size);
  try {
    return await object(tilePath(level, index, width));
  } catch (error) {
    if (width === WIDTH) throw error;
    return object(tilePath(level, index, WIDTH));
  }
}

/** Return the bytes of an object of the log. */
function object(path) {
  if (!fetched.has(path)) {
    const loaded = fetch(path).then(async (answer) => {
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      return new Uint8Array(await answer.arrayBuffer());
    });
    fetched.set(path, loaded);
    loaded.catch(() => fetched.delete(path));
  }
  return fetched.get(path);
}

/** Put what was found into the page. */
function fill({ index, leaf, hash, proof, size, root, note, cosigners }) {
  field("index").textContent = String(index);
  field("leaf").textContent = JSON.stringify(JSON.parse(textOf(leaf)), null, 2);
  field("hash").textContent = hexOf(hash);
  field("size").textContent = String(size);
  field("root").textContent = hexOf(root);
  field("cosigners").textContent = cosigners.length ? cosigners.join(", ") : "–";
  field("proof").replaceChildren(...proof.map((one) => item(hexOf(one))));
  field("file").textContent = proofFile(index, proof, note);
  for (const link of explorer.querySelectorAll("[data-step]")) {
    const beside = index + Number(link.dataset.step);
    link.hidden = beside < 0 || beside >= size;
    link.href = `#leaf-${beside}`;
  }
}

function item(text) {
  const made = document.createElement("li");
  const code = document.createElement("code");
  code.textContent = text;
  made.append(code);
  return made;
}

/** Return the proof as C2SP tlog-proof has it. */
function proofFile(index, proof, note) {
  const hashes = proof.map((hash) => `${toBase64(hash)}\n`).join("");
  return `c2sp.org/tlog-proof@v1\nindex ${index}\n${hashes}\n${note}`;
}

/** Show one message of the page, and the leaf where there is one. */
function say(state, detail = "") {
  for (const message of explorer.querySelectorAll("[data-state]")) {
    message.hidden = message.dataset.state !== state;
  }
  field("detail").textContent = detail;
  document.getElementById("leaf").hidden = state !== "proved";
}

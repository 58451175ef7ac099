// The page "check a file": a file is hashed here, its evidence is fetched and verified here.
import { check } from "../verifier/check.js";
import { sorted } from "./given.js";
import { MAX_FILE, hashing } from "./hashing.js";
import { DIFFERENT, REFUSED, REPRODUCED, UNKNOWN, UNPROVEN, answerOf, standing } from "./judging.js";
import { entriesOf, policiesOf } from "./lookup.js";
import { showAnswer, showFault } from "./showing.js";
import { CopiedPortal, ServedPortal, address } from "./sources.js";
import { text } from "./texts.js";
import { Trust } from "./trust.js";

const page = document.getElementById("check");
const offline = page.dataset.offline === "yes";
const DIGEST = /^[0-9a-f]{64}$/;
const FOLDERS = ["./", "portal/", "current/"];
let portal = null;
let trust = null;
let running = null;
let turn = 0;
let last = null;
let asked = 0;

/** Find the portal: that of this server, or a copy in a folder beside this file. */
async function begin() {
  if (!globalThis.crypto?.subtle) return showFault("insecure");
  if (!offline) return use(new ServedPortal(new URL(page.dataset.root, document.baseURI)));
  for (const folder of FOLDERS) {
    if (await use(new CopiedPortal(new URL(folder, document.baseURI)))) return null;
  }
  document.getElementById("no-portal").hidden = false;
  return null;
}

/** Read the policies of a portal; says whether there is one. */
async function use(found) {
  try {
    trust = await Trust.of(await policiesOf(found));
  } catch (error) {
    if (!offline) showFault("unreadable", error.message);
    return false;
  }
  portal = found;
  document.getElementById("policy").hidden = false;
  trust.show();
  return true;
}

/** Check what was dropped or chosen. */
async function examine(list) {
  running?.cancel();
  turn += 1;
  asked += 1;
  const mine = turn;
  const given = await sorted(list);
  if (given.policies.length) {
    try {
      trust = await Trust.of(given.policies);
    } catch (error) {
      return showFault("unreadable", error.message);
    }
    document.getElementById("policy").hidden = false;
    trust.show();
  }
  const [file] = given.files;
  if (!file) return showFault(given.bundles.length || given.policies.length ? "no-file" : "nothing");
  if (given.files.length > 1) return showFault("one-file");
  if (file.size > MAX_FILE) return showFault("too-large");
  try {
    await judge(file.name, await hashed(file), given.bundles);
  } catch (error) {
    if (error.name !== "AbortError") showFault("unreadable", error.message);
  } finally {
    if (mine === turn) document.getElementById("progress").hidden = true;
  }
  return null;
}

async function hashed(file) {
  const bar = document.getElementById("bar");
  const told = document.getElementById("done");
  document.getElementById("answer").hidden = true;
  document.getElementById("progress").hidden = false;
  bar.max = Math.max(file.size, 1);
  bar.value = 0;
  told.textContent = text("hashing", { name: file.name });
  document.getElementById("cancel").focus();
  running = hashing(file, workerUrl(), (done) => {
    bar.value = done;
  });
  const sha256 = await running.digest;
  told.textContent = text("checking");
  return sha256;
}

function workerUrl() {
  if (!offline) return new URL(page.dataset.worker, document.baseURI).href;
  const source = document.getElementById("worker").textContent;
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}

/** Find and check the evidence about a digest, and show the answer, unless another one is asked for. */
async function judge(...about) {
  const [name, sha256, bundles] = about;
  const trusted = trust; // a visitor can give another policy meanwhile
  asked += 1;
  const mine = asked;
  last = about;
  if (!trusted) return showFault("no-policy");
  const told = { name, sha256, policy: trusted.policy, results: [] };
  if (trusted.compared === false) {
    return showAnswer({ ...told, answer: REFUSED, reason: "other-policy" });
  }
  const wanted = bundles.length ? bundles.map((bytes) => ({ bytes })) : await found(sha256);
  if (mine !== asked) return null;
  if (!wanted) return showFault("no-portal-here");
  if (!wanted.length) return showAnswer({ ...told, answer: UNKNOWN, reason: "unknown" });
  const results = [];
  for (const one of wanted) results.push(await checked(one, { name, sha256 }, trusted));
  if (mine !== asked) return null;
  const counted = trusted.compared || !offline;
  const answers = [...new Set(results.map((one) => one.release))].map((release) =>
    answerOf(results.filter((one) => one.release === release), trusted.policy, counted),
  );
  const worst = [DIFFERENT, REFUSED, REPRODUCED, UNPROVEN].find((one) => answers.some((a) => a.answer === one));
  const facts = answers.find((one) => one.answer === worst);
  return showAnswer({ ...told, answer: worst, reason: facts.reason, facts, results });
}

/** Return the bundles about a file as the index names them; null without a portal. */
async function found(sha256) {
  if (!portal) return null;
  const entries = await entriesOf(portal, sha256);
  const published = entries.filter((one) => one.role === "published");
  const used = published.length ? published : entries;
  return used.flatMap((one) =>
    one.bundles.length
      ? one.bundles.map((bundle) => ({ ...bundle, release: one.release, page: one.page, artefact: one.artefact }))
      : [{ release: one.release, artefact: one.artefact, path: null, bases: [] }],
  );
}

/** Fetch a bundle if need be, and check it. */
async function checked(one, file, { policies, fingerprint }) {
  const about = { center: one.center, release: one.release, artefact: one.artefact };
  try {
    if (!one.bytes && !one.path) return { ...about, answer: UNPROVEN, why: text("no-bundle") };
    const bytes = one.bytes ?? (await portal.bundle(one.path));
    const bases = await Promise.all((one.bases ?? []).map((path) => portal.bundle(path)));
    const options = { policies, fingerprint, files: [file], bases };
    const result = await check(bytes, options);
    const said = { center: result.center ?? one.center, release: result.release ?? one.release };
    const [link, page] = [one.path, one.page].map((path) => (path && !offline ? address(portal.root, path) : null));
    return {
      ...about, ...said, run: result.run, artefact: result.files[0]?.artefact ?? one.artefact,
      claim: result.claim, scope: result.scope, user_namespace: result.user_namespace,
      steps: result.steps, link, page, ...standing(result),
    };
  } catch (error) {
    return { ...about, answer: UNPROVEN, why: error.message };
  }
}

function listen() {
  const input = document.getElementById("file");
  input.addEventListener("change", () => examine([...input.files]));
  document.getElementById("by-digest").addEventListener("submit", (event) => {
    event.preventDefault();
    const sha256 = document.getElementById("digest").value.trim().toLowerCase();
    if (!DIGEST.test(sha256)) showFault("no-digest");
    else judge(text("by-digest"), sha256, []).catch((error) => showFault("unreadable", error.message));
  });
  document.getElementById("cancel").addEventListener("click", () => {
    running?.cancel();
    document.getElementById("progress").hidden = true;
    input.focus();
  });
  input.addEventListener("click", () => {
    input.value = ""; // so that the same file can be chosen again
  });
  const expected = document.getElementById("expected");
  expected.addEventListener("input", async () => {
    if (!trust?.show() || !last) return;
    await judge(...last);
    expected.focus();
  });
  document.getElementById("remember").addEventListener("change", (event) => {
    trust?.remember(event.target.checked);
  });
  const drop = document.getElementById("drop");
  for (const kind of ["dragover", "dragleave", "drop"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("is-over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) examine([...event.dataTransfer.files]);
    });
  }
}

listen();
page.hidden = false;
begin();

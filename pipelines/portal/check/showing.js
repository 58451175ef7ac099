// The answer as elements of the page; every text of others is shown as text, never as markup.
import { DIFFERENT, REFUSED, REPRODUCED, UNKNOWN, UNPROVEN } from "./judging.js";
import { shown, text } from "./texts.js";

const LOOKS = {
  [REPRODUCED]: "is-confirmed",
  [DIFFERENT]: "is-different",
  [UNPROVEN]: "is-unchecked",
  [UNKNOWN]: "is-unchecked",
  [REFUSED]: "is-suspect",
};

/** Return an element with properties and children; texts among them are made fit to be shown. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.map((one) => (typeof one === "string" ? shown(one) : one)));
  return made;
}

/** Return the word for an answer beside its sign. */
export function word(answer) {
  const signs = document.getElementById("signs").content;
  const made = signs.querySelector(`.${LOOKS[answer]}`).cloneNode(true);
  made.append(text(answer));
  return made;
}

/** Show the answer about one file; `results` has what each bundle says. */
export function showAnswer({ name, sha256, answer, reason, facts, results, policy }) {
  const place = document.getElementById("answer");
  const title = element("h2", { tabIndex: -1 }, word(answer));
  const list = (names) => (names?.length ? names.join(", ") : text("nobody"));
  const values = {
    operators: list(facts?.operators),
    regions: list(facts?.regions),
    k: facts?.rules.k ?? 1,
    wanted: facts?.rules.regions ?? 1,
    centers: list(facts?.silent),
  };
  place.replaceChildren(
    title,
    element("p", { className: "lead" }, text(`because-${reason}`, values)),
    element("dl", { className: "facts" }, ...pair(text("file"), name), ...pair("SHA-256", element("code", {}, sha256))),
  );
  if (results.length) {
    place.append(
      element("h3", {}, text("vouches")),
      element("ul", { className: "vouchers" }, ...results.map((one) => voucher(one, policy))),
    );
  }
  if (facts?.silent.length) place.append(element("p", {}, text("silent", values)));
  reveal(place, title, answer);
}

/** Show that nothing can be said, and why. */
export function showFault(name, why) {
  const place = document.getElementById("answer");
  const title = element("h2", { tabIndex: -1 }, word(UNPROVEN));
  place.replaceChildren(title, element("p", {}, text(name, { why })));
  reveal(place, title, UNPROVEN);
}

function reveal(place, title, answer) {
  place.className = `answer ${LOOKS[answer]}`;
  place.hidden = false;
  title.focus();
}

function voucher({ center, release, page, run, artefact, answer, why, steps, link }, policy) {
  const known = policy.centers.find((one) => one.id === center);
  const who = known ? text("who", { center, ...known }) : text("who-unknown", { center });
  const named = [release, artefact, run && text("run", { run })].filter(Boolean).join(", ");
  const made = element(
    "li",
    { className: LOOKS[answer] },
    element("p", {}, word(answer), " ", element("strong", {}, who)),
    element("p", {}, named, element("br"), element("span", { lang: "en" }, why ?? "")),
  );
  const links = [
    link && element("a", { href: link, download: "" }, text("bundle")),
    page && element("a", { href: page }, text("release-page", { release })),
  ].filter(Boolean);
  if (links.length) made.append(element("p", { className: "actions" }, ...links));
  if (steps?.length) made.append(stepList(steps));
  return made;
}

function stepList(steps) {
  const lines = steps.map((one) =>
    element("li", {}, element("code", {}, one.step), ` ${one.status}: `, element("span", { lang: "en" }, one.message)),
  );
  return element("details", {}, element("summary", {}, text("steps", { count: steps.length })), element("ol", {}, ...lines));
}

function* pair(term, value) {
  yield element("dt", {}, term);
  yield element("dd", {}, value);
}

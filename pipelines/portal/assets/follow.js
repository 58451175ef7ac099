// Renews what a page says of requests, as long as one is open: its twin is read, and only when that
// has changed, the page. A copy that is opened from a disk stays as it is.
const region = () => document.getElementById("follow");
const [SHORTEST, LONGEST] = [3000, 30000];
let pause = SHORTEST;
let last = null;

async function look() {
  const options = { cache: "no-store", credentials: "omit" };
  const twin = await (await fetch("index.json", options)).text();
  if (last !== null && twin !== last) {
    const answer = await fetch(location.pathname, options);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const renewed = page.getElementById("follow");
    if (renewed) {
      region().replaceChildren(...renewed.childNodes);
      region().dataset.follow = renewed.dataset.follow;
      document.dispatchEvent(new Event("samebits:renewed"));
      begin();
      const news = document.getElementById("news");
      if (news) news.textContent = region().querySelector(".notice")?.textContent.trim() ?? "";
    }
    pause = SHORTEST;
  }
  last = twin;
}

async function follow() {
  if (region().dataset.follow === "over") return;
  try {
    if (!document.hidden) await look();
  } catch {
    // The server is away, or there is none: the next look may find it.
  }
  pause = Math.min(pause * 1.5, LONGEST);
  setTimeout(follow, pause);
}

function begin() {
  for (const note of document.querySelectorAll("[data-following]")) note.hidden = false;
}

if (location.protocol !== "file:") {
  begin();
  follow();
}

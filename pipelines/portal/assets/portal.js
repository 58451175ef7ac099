// Adds the reader's own time to each time in UTC. Without JavaScript the pages say UTC alone.
"use strict";
(() => {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    dateStyle: "medium",
    timeStyle: "short",
  });
  const zone = new Intl.DateTimeFormat(document.documentElement.lang, { timeZoneName: "short" });
  const tell = (element) => {
    if (element.firstElementChild) return; // it says so already
    const moment = new Date(element.dateTime);
    if (!element.dateTime.endsWith("Z") || Number.isNaN(moment.getTime())) return;
    if (moment.getTimezoneOffset() === 0) return;
    const name = zone.formatToParts(moment).find((part) => part.type === "timeZoneName");
    const local = document.createElement("span");
    local.className = "local";
    local.textContent = `${format.format(moment)} ${name ? name.value : ""}`.trim();
    const utc = document.createElement("span");
    utc.className = "utc";
    utc.textContent = ` (${element.textContent})`;
    element.replaceChildren(local, utc);
  };
  const all = () => document.querySelectorAll("time[datetime]").forEach(tell);
  all();
  document.addEventListener("samebits:renewed", all); // a part of the page is new: see follow.js
})();

// Fills in the command that asks for a rebuild, and the file that can be signed in its place.
// Nothing is sent anywhere, and no key is read.
const form = document.getElementById("request-form");
const [release, requester, valid] = ["release", "requester", "valid"].map((id) =>
  document.getElementById(id),
);
const command = document.getElementById("request-command");
const file = document.getElementById("request-file");
const empty = command.textContent;
let saved = "";

// What a shell could read as more than a word is put between quotes.
const word = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function fill() {
  URL.revokeObjectURL(saved);
  const complete = form.checkValidity();
  for (const id of ["request-actions", "request-sign"]) {
    document.getElementById(id).hidden = !complete;
  }
  if (!complete) {
    command.textContent = empty;
    return;
  }
  const center = form.dataset.center;
  command.textContent = [
    "samebits request new", word(release.value),
    "--center", word(center), "--store ADDRESS",
    "--requester", word(requester.value), "--key", word(`${requester.value}.key`),
    "--valid", word(valid.value), "--wait",
  ].join(" ");
  const prepared = {
    schema: "samebits/prepared-request/v1",
    center,
    release: release.value,
    requester: requester.value,
    valid: valid.value,
  };
  saved = URL.createObjectURL(
    new Blob([`${JSON.stringify(prepared, null, 1)}\n`], { type: "application/json" }),
  );
  file.href = saved;
  file.download = `${release.value.replace(/[^A-Za-z0-9._+-]/g, "-")}.request.json`;
}

form.hidden = false;
form.addEventListener("input", fill);
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("request-copy").addEventListener("click", () => {
  navigator.clipboard?.writeText(command.textContent);
});
const wanted = new URLSearchParams(location.search).get("release");
if (wanted) release.value = wanted;
fill();

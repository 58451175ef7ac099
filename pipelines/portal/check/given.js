// What a visitor drops or chooses: the file to check, and perhaps bundles and policies with it.
const MARK = "application/vnd.samebits.bundle.v2+tar\n";
const MARK_AT = 512;
const MAX_BUNDLE = 256 << 20;
const MAX_POLICY = 4 << 20;

/** Return `{files, bundles, policies}` of a list of files; bundles and policies are read. */
export async function sorted(list) {
  const found = { files: [], bundles: [], policies: [] };
  for (const file of list) {
    if (await isBundle(file)) found.bundles.push(await bytesOf(file));
    else if (await isPolicy(file)) found.policies.push(await bytesOf(file));
    else found.files.push(file);
  }
  found.policies = inOrder(found.policies);
  return found;
}

async function isBundle(file) {
  const mark = await file.slice(MARK_AT, MARK_AT + MARK.length).text();
  return mark === MARK && file.size <= MAX_BUNDLE;
}

async function isPolicy(file) {
  if (file.size > MAX_POLICY || !(await file.slice(0, 1).text()).startsWith("{")) return false;
  try {
    const { payloadType } = JSON.parse(await file.text());
    return payloadType === "application/vnd.samebits.policy+json";
  } catch {
    return false;
  }
}

/** Return signed policies by their versions; one that cannot be read stays for the check to refuse. */
function inOrder(policies) {
  const version = (bytes) => {
    try {
      return JSON.parse(atob(JSON.parse(new TextDecoder().decode(bytes)).payload)).version;
    } catch {
      return 0;
    }
  };
  return policies.sort((one, two) => version(one) - version(two));
}

async function bytesOf(file) {
  return new Uint8Array(await file.arrayBuffer());
}

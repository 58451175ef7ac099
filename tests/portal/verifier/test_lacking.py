"""A browser that lacks something that a check needs proves nothing, and refuses nothing."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.bundle.corpus import FOLDER, NOW, POLICY, SOUND
from tests.portal.verifier.in_a_page import verifier_page

pytestmark = pytest.mark.browser
RUN = """async ({lack, bundle, policy, now}) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  await eval(`(async () => { ${lack} })()`);
  const {check} = await import("/check.js");
  return check(bytes(bundle), {policies: [bytes(policy)], now});
}"""
UNKNOWN_RULE = """const {MODELS} = await import("/models.js");
MODELS.shapes.DigestSet.rules.push("DigestSet_of_a_later_version");"""
NO_CRYPTO = 'Object.defineProperty(crypto, "subtle", {value: undefined});'
NO_ED25519 = """const real = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = async (form, key, algorithm, ...rest) => {
  if (algorithm.name === "Ed25519") throw new DOMException("no such curve", "NotSupportedError");
  return real(form, key, algorithm, ...rest);
};"""
ODD_ERROR = 'crypto.subtle.verify = async () => { throw new TypeError("of the browser"); };'
LACKING = {
    "nothing": ("", 0, ""),
    "a-rule": (UNKNOWN_RULE, 2, "lacks the rules DigestSet_of_a_later_version"),
    "cryptography": (NO_CRYPTO, 2, "offers no cryptography"),
    "ed25519": (NO_ED25519, 2, "cannot verify Ed25519"),
    "what-nobody-thought-of": (ODD_ERROR, 2, "of the browser"),
}


def test_what_a_browser_lacks_is_never_a_pass() -> None:
    given = {
        "bundle": base64.b64encode((FOLDER / SOUND).read_bytes()).decode(),
        "policy": base64.b64encode((FOLDER / POLICY).read_bytes()).decode(),
        "now": int(NOW.timestamp() * 1000),
    }
    found: dict[str, dict[str, Any]] = {}
    with verifier_page() as page:
        for name, (lack, _, _) in LACKING.items():
            page.reload()
            found[name] = page.evaluate(RUN, {"lack": lack, **given})
    for name, (_, code, says) in LACKING.items():
        unchecked = [s["message"] for s in found[name]["steps"] if s["status"] == "unchecked"]
        assert (name, found[name]["exit_code"]) == (name, code)
        assert says in " ".join(unchecked)

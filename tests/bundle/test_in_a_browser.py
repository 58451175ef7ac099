"""The verifier of the portal gives, in a browser, the verdicts of `samebits evidence check`.

Every lie, every broken file and part of all alterations are checked in both. On demand, with
`SAMEBITS_EVERY_BUNDLE=1`, so is every bundle that any test of this folder checks (see conftest).
"""

from __future__ import annotations

import base64
import json
from itertools import islice
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from builders.core.digest import canonical_json
from pipelines.bundle.check import CheckResult, Trust, check_bundle
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.publickey import read_public_key
from tests.bundle.browser_cases import better, checked_in_a_browser, differences, recorded
from tests.bundle.bundles import Maker, made
from tests.bundle.corpus import BROKEN, FOLDER, NOW, POLICY, SOUND
from tests.bundle.test_check import LIES, given
from tests.bundle.test_contradictions import told, told_of_delta
from tests.bundle.test_every_alteration import (
    altered_bytes,
    altered_members,
    altered_values,
    other_value,
    removed,
    whole_bundle,
)
from tests.bundle.test_given_policy import NOTED, WRONG
from tests.bundle.test_update_bases import BEFORE, FILES, check, update
from tests.evidence.contradictions import DELTAS_REFUTED, REFUTED
from tests.evidence.contradictions import SOUND as SOUND_SAID
from tests.signer.conftest import SCENES
from tests.signer.scene import OURS

pytestmark = pytest.mark.browser
SIGNED = "statements/attempt-1.dsse.json"
CURVES = ((ec.SECP256R1(), SHA256()), (ec.SECP384R1(), SHA384()), (ec.SECP521R1(), SHA512()))
PART = 61
"""Each how manieth alteration is checked."""


def check_broken() -> None:
    """Check every file of the corpus."""
    trust = Trust(policy=(FOLDER / POLICY).read_bytes(), now=NOW)
    for name in (SOUND, *(f"{name}.tar" for name in BROKEN)):
        check_bundle((FOLDER / name).read_bytes(), trust=trust)


def check_told(bundle: Maker, other: PrivateKey) -> None:
    """Check every lie, contradiction, and policy that a bundle brings along."""
    for lie in LIES.values():
        altered = bundle(lie.scene)
        lie.tell(altered, other)
        altered.check(policy=lie.policy)
    for change in (*NOTED.values(), *(change for change, _ in WRONG.values())):
        altered = bundle("identical")
        change(altered)
        altered.check()
    for one in (*SOUND_SAID.values(), *REFUTED.values()):
        told(bundle, one).check()
    for one in DELTAS_REFUTED.values():
        told_of_delta(bundle, one).check()


def check_honest(bundle: Maker, folder: Path) -> None:
    """Check what is in order, with all, some and nothing of what a reader can trust or give."""
    for scene in SCENES:
        bundle(scene).check(given(folder, OURS), given(folder, b"index", "two"))
        bundle(scene).check(policy=False)
        bundle(scene).check(trusted=False)


def check_altered(bundle: Maker) -> None:
    """Check a part of all alterations of one bundle."""
    whole = whole_bundle(bundle)
    trust = whole.trust()
    for alterations in (
        altered_bytes(whole),
        altered_members(whole),
        altered_values(whole, other_value, 1),
        altered_values(whole, removed, 1),
    ):
        for _, data in islice(alterations, 0, None, PART):
            check_bundle(data, trust=trust)


def check_updates(bundle: Maker, key: PrivateKey, folder: Path) -> CheckResult:
    """Check an update with the bundle of its base, and without."""
    before = made(folder, key, run=BEFORE, shipped=FILES, outputs=FILES)
    check(update(bundle, before))
    check(update(bundle, before, comparison={"sha256": "e" * 64}), before)
    return check(update(bundle, before), before)


def bent(signature: bytes) -> list[bytes]:
    """Return other forms of a signature in DER whose r and s have less than 128 bytes."""
    first = 2 + signature[3]
    r, rest = signature[2 : 2 + first], signature[2 + first :]
    padded = bytes([2, len(r) - 1, 0, *r[2:]]) + rest
    return [
        signature[:-1] + bytes([signature[-1] ^ 1]),
        signature + b"x",
        b"\x30\x81" + signature[1:],
        bytes([0x31, *signature[1:]]),
        bytes([0x30, len(padded)]) + padded,
        bytes([0x30, len(r) + 2]) + r + b"\2\0",
        bytes([0x30, len(r)]) + r,
        bytes([0x30, len(rest) + 3]) + b"\2\1\x80" + rest,
        b"",
    ]


def check_other_key(folder: Path, curve: ec.EllipticCurve, algorithm: HashAlgorithm) -> None:
    """Check a bundle whose statements are signed by ECDSA, and some with bent signatures."""
    private = ec.derive_private_key(7, curve)
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key = PrivateKey(
        public=read_public_key(pem), signer=lambda data: private.sign(data, ec.ECDSA(algorithm))
    )
    altered = made(folder, key)
    altered.policy["centers"][0]["keys"][0]["key"] = key.public.to_json().decode()
    del altered.members["policy.dsse.json"]
    assert altered.check().exit_code == 0
    document = json.loads(altered.members[SIGNED])
    for other in bent(base64.b64decode(document["signatures"][0]["sig"])):
        document["signatures"][0]["sig"] = base64.b64encode(other).decode()
        altered.members[SIGNED] = canonical_json(document)
        assert altered.check().exit_code == 1


def test_the_verdicts_are_those_of_evidence_check(
    bundle: Maker, key: PrivateKey, other: PrivateKey, tmp_path: Path
) -> None:
    with recorded() as cases:
        check_broken()
        check_told(bundle, other)
        check_honest(bundle, tmp_path)
        check_altered(bundle)
        assert check_updates(bundle, key, tmp_path).exit_code == 0
        for curve, algorithm in CURVES:
            check_other_key(tmp_path / curve.name, curve, algorithm)
    found = checked_in_a_browser(cases)
    assert better(cases, found) == []
    assert differences(cases, found) == []
    assert {case.result.exit_code for case in cases} == {0, 1, 2}

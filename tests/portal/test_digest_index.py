"""What the portal publishes so that a file is found by its digest, and the policies that count."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipelines.bundle import Bundle
from pipelines.bundle.check import Trust, check_bundle
from pipelines.evidence.redaction import public_form
from pipelines.policy import SignedPolicy, read_signed
from pipelines.policy.signed_policy import add_signature
from pipelines.portal.policy_chain import CHAIN, chain_to, read_chain
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import REPORT
from tests.consensus.two_centers import NAMES, law
from tests.portal.built_portal import BuiltPortal

_SHEET = re.compile(rb':root\{--samebits:"([A-Za-z0-9+/=]+)"\}\n')


def unpacked(sheet: bytes) -> bytes:
    found = _SHEET.fullmatch(sheet)
    assert found
    return gzip.decompress(b64decode(found[1]))


def publish(portal: BuiltPortal) -> None:
    """Let both centers publish a run; the public report of the second one is missing."""
    for name in NAMES:
        run = portal.centers.publish(name)
        if name == NAMES[0]:
            store = DirectoryStore(portal.centers.root / name / "store")
            store.put_record(run.folder() + REPORT, public_form(run.report()).to_json())


def test_a_file_is_found_by_its_digest_and_its_bundles_are_there(portal: BuiltPortal) -> None:
    publish(portal)
    portal.build()
    files = portal.files()
    shards = [f"files/{number:02x}" for number in range(256)]
    assert all(f"{one}.json" in files and f"{one}.css" in files for one in shards)
    found = {
        digest: entries
        for one in shards
        for digest, entries in json.loads(files[f"{one}.json"])["files"].items()
    }
    (digest,) = found
    assert json.loads(files[f"files/{digest[:2]}.json"])["prefix"] == digest[:2]
    (entry,) = found[digest]
    assert (entry["release"], entry["role"]) == ("acme/tool@1.0", "published")
    assert f"{entry['page']}index.html" in files
    assert [one["center"] for one in entry["bundles"]] == [NAMES[0]]
    assert [path for path in files if path.startswith("bundles/") and "/asia-" in path] == []
    policy = json.dumps(json.loads(files[CHAIN])["policies"][-1]["envelope"]).encode()
    for one in entry["bundles"]:
        data = files[one["path"]]
        trust = Trust(policy=policy, now=datetime(2026, 1, 5, tzinfo=UTC))
        result = check_bundle(data, trust=trust)
        # The report is made up, so that no statement names it; all before it is as it should be.
        assert [s.name for s in result.steps if s.status in {"wrong", "unchecked"}] == [
            "signed-report"
        ]
        assert (
            b'"id":"%b"' % one["center"].encode() in Bundle.from_bytes(data).members["center.json"]
        )
    for path, sheet in files.items():
        if path.startswith(("files/", "bundles/")) and path.endswith(".css"):
            twin = path.removesuffix(".css")
            assert unpacked(sheet) == files[twin if twin in files else f"{twin}.json"]


def test_policies_are_kept_from_the_first_one_known(portal: BuiltPortal) -> None:
    for version in (1, 2, 3):
        portal.centers.sign_policy(version=version)
        portal.build(anew=version == 3)
    files = portal.files()
    chain = json.loads(files[CHAIN])["policies"]
    assert [one["version"] for one in chain] == [1, 2, 3]
    for one in chain:
        signed = read_signed(files[f"policy/{one['version']}.dsse.json"])
        assert str(signed.digest) == one["sha256"]
    assert unpacked(files["policy/chain.css"]) == files[CHAIN]


def stepped(portal: BuiltPortal) -> list[SignedPolicy]:
    found = []
    for version in (1, 2, 3):
        portal.centers.sign_policy(version=version)
        found.append(read_signed((portal.centers.root / "policy.dsse.json").read_bytes()))
    return found


def test_policies_that_do_not_lead_to_that_which_counts_are_left_out(portal: BuiltPortal) -> None:
    first, second, third = stepped(portal)
    assert chain_to(third, (second, first)) == (first, second, third)
    assert chain_to(second, (third, first)) == (first, second)
    (stranger,) = first.policy.operators[:1]
    alone = replace(first.policy, operators=(stranger,), threshold=1)
    foreign = add_signature(alone, stranger.name, law(NAMES[0]))
    assert chain_to(third, (foreign, second)) == (foreign, second, third), "both have signed those"
    unsigned = replace(foreign, policy=first.policy)
    assert chain_to(third, (unsigned, second)) == (third,)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"policies":[{"envelope":{}}]}'])
def test_a_damaged_chain_is_begun_anew(data: bytes) -> None:
    assert read_chain(data) == ()

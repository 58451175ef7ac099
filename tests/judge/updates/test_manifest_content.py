"""What manifests say as they are read, and how much of it there may be."""

from __future__ import annotations

from io import BytesIO
from tempfile import TemporaryFile

import pytest
from pydantic import ValidationError
from tuf.api.metadata import Delegations

from builders.core.digest import Digest
from builders.recipe.update_manifest import ManifestName
from pipelines.judge.updates.manifest_format import ManifestFact, vendor_claim
from pipelines.judge.updates.manifests.manifest_content import MAX_CLAIMED, ManifestContent
from pipelines.judge.updates.manifests.read_manifest import MANIFEST, ManifestChoice
from pipelines.judge.updates.update_fault import UpdateRefused
from tests.judge.signatures.pe_tricks import ADA
from tests.judge.signatures.signing import Signing, cms_of
from tests.judge.updates.external_signatures import in_one_line
from tests.judge.updates.tuf_repository import RELEASES, SNAPSHOT, TARGETS, written


def read(data: bytes, form: ManifestName) -> ManifestContent | UpdateRefused:
    return MANIFEST.read([BytesIO(data)], ManifestChoice(format=form), TemporaryFile)


@pytest.mark.parametrize(
    ("says", "shown"),
    [
        ("", "(empty)"),
        ("x" * 900, "x" * 900),
        ("x" * 901, f"{'x' * 900}... (sha256 {Digest.of(b'x' * 901).hex})"),
        ({"b": 1, "a": [None]}, '{"a": [null], "b": 1}'),
    ],
)
def test_a_claim_is_one_line(says: object, shown: str) -> None:
    assert vendor_claim("custom", says).says == shown


def test_a_fact_says_how_much_was_computed_anew() -> None:
    claims = (vendor_claim("custom", 1),)
    made = ManifestFact(format=ManifestName.RAUC, recomputed=("a: size", "b: size"), claims=claims)
    assert str(made) == "2 fields are so of our bytes, 1 are the vendor's claims"


def test_all_claims_together_have_a_bound() -> None:
    whole, rest = divmod(MAX_CLAIMED, 800)
    claims = [vendor_claim("x" * 400, "y" * 400)] * whole + [vendor_claim("x", "y" * (rest - 1))]
    assert len(ManifestContent(files=(), claims=claims).claims) == whole + 1
    with pytest.raises(ValidationError, match=f"more than {MAX_CLAIMED} characters"):
        ManifestContent(files=(), claims=[*claims[:-1], vendor_claim("x", "y" * rest)])


def test_what_targets_say_beside_files_are_claims() -> None:
    targets = RELEASES[2].targets
    targets.delegations = Delegations(keys={}, roles={})
    targets.unrecognized_fields["channel"] = "beta"
    found = read(written(targets, TARGETS), ManifestName.TUF_TARGETS)
    assert isinstance(found, ManifestContent)
    claims = {one.path: one.says for one in found.claims}
    assert claims.pop("spec_version").startswith("1.")
    assert claims == {
        "expires": "2030-01-01T00:00:00Z",
        "channel": "beta",
        "delegations": '{"keys": {}, "roles": []}',
        "app-3.bin: custom": '{"rollout": "10%"}',
    }
    plain = read(written(RELEASES[0].targets, TARGETS), ManifestName.TUF_TARGETS)
    assert isinstance(plain, ManifestContent)
    assert {one.path for one in plain.claims} == {"spec_version", "expires", "app-1.bin: custom"}
    snapshot = written(RELEASES[2].snapshot(b""), SNAPSHOT)
    assert isinstance(read(snapshot, ManifestName.TUF_SNAPSHOT), ManifestContent)


def test_a_digest_that_proves_nothing_is_no_statement() -> None:
    weak = in_one_line(cms_of(Signing(by=ADA, algorithm="sha1"), "data", b"\4\0"))
    found = read(weak, ManifestName.CLAMSIGN)
    assert isinstance(found, UpdateRefused)
    assert found.fault == "manifest-unreadable"
    assert found.detail.startswith("a digest that cannot be")

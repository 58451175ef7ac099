"""External signatures of ClamAV: over our bytes, by the pinned signer, and in no other way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest

from builders.jail import ParserJail
from builders.recipe.signature import PinnedSignature, SignedFormat
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Unreachable, compare
from pipelines.judge.signatures.clamsign import CLAMSIGN
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.manifests.manifest_content import ManifestContent
from pipelines.judge.updates.manifests.read_manifest import MANIFEST, ManifestChoice
from tests.judge.signatures.cdiff_tricks import BY_CLAMAV, OURS, SHIPPED
from tests.judge.signatures.pe_tricks import ADA, EVE
from tests.judge.updates.external_signatures import external
from tests.judge.updates.manifest_scene import ManifestScene
from tests.judge.updates.rauc_manifests import bundle
from tests.judge.updates.tuf_repository import RELEASES

DELTA, SIGN = "test-7.cdiff", "test-7.cdiff.sign"
BY_ADA = PinnedSignature(format=SignedFormat.CLAMSIGN, signers=(ADA.pin,))


OF_DELTA = DeclaredManifest(format=ManifestName.CLAMSIGN, files={"signed-file": DELTA})


def scene(sign: bytes) -> ManifestScene:
    return ManifestScene(
        shipped={DELTA: SHIPPED, SIGN: sign},
        rebuilt={DELTA: OURS},
        manifests={SIGN: OF_DELTA},
        pins={DELTA: BY_CLAMAV, SIGN: BY_ADA},
    )


def fact(sign: bytes) -> ManifestFact:
    found = scene(sign).found()[SIGN]
    assert isinstance(found, ManifestFact), found
    return found


def test_an_external_signature_is_over_our_delta_with_its_own_signature() -> None:
    found = fact(external())
    assert found.refused is None, found.refused
    assert found.recomputed == ("signed-file: sha256",)
    assert [(one.path, one.says) for one in found.claims] == [("lowest level", "220")]
    assert [one.certificate for one in found.signers] == [ADA.pin]


DRILLS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "over another file": ("field-mismatch", lambda: external(content=SHIPPED + b"\0")),
    "over the unsigned delta": ("field-mismatch", lambda: external(content=OURS)),
    "by another signer": ("signature-refused", lambda: external(EVE)),
    "of another method": ("signature-refused", lambda: external(line=b"220::pgp:")),
    "two lines": ("signature-refused", lambda: external() + external().partition(b"\n")[2]),
    "bytes behind it": ("signature-refused", lambda: external() + b"payload"),
    "nothing": ("signature-refused", lambda: b""),
    "half of it": ("signature-refused", lambda: external()[:-200] + b"\n"),
}


@pytest.mark.parametrize("name", DRILLS)
def test_an_external_signature_that_must_not_pass_is_refused_by_name(name: str) -> None:
    fault, sign = DRILLS[name]
    found = fact(sign())
    assert found.refused is not None
    assert found.refused.fault == fault, found.refused


def test_a_missing_external_signature_is_no_pass() -> None:
    facts = scene(external()).facts()
    served = {**facts.served, SIGN: Unreachable(reason="not found")}
    declared = tuple(
        replace(one, is_update=one.name == SIGN, stands_in=one.name == SIGN)
        for one in facts.declared
    )
    left = compare(replace(facts, declared=declared, served=served, manifests={}))
    found = {one.name: (str(one.verdict), one.reason) for one in left}
    assert found[DELTA][0] == "IDENTICAL_SIGNED", "by the signature in it"
    assert found[SIGN][0] == "NOT_CHECKED"
    assert "unreachable" in found[SIGN][1]


def test_nothing_rebuilds_an_external_signature() -> None:
    with pytest.raises(BadSignatureError) as raised:
        CLAMSIGN.plan(BytesIO(external()), BytesIO(external()))
    assert raised.value.refused.fault == "layout"


def test_manifests_of_every_format_are_read_in_the_real_jail() -> None:
    files = {
        ManifestName.CLAMSIGN: external(),
        ManifestName.RAUC: bundle().by(ADA),
        **{
            ManifestName(f"tuf-{name.removesuffix('.json')}"): data
            for name, data in RELEASES[2].published().items()
        },
    }
    assert files.keys() == set(ManifestName)
    jail = ParserJail([MANIFEST.name])
    try:
        for name, data in files.items():
            found = jail.run(MANIFEST, [BytesIO(data)], ManifestChoice(format=name))
            assert isinstance(found, ManifestContent), found
            assert found.files
    finally:
        jail.close()

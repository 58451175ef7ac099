"""External signatures of ClamAV: over our bytes, by the pinned signer, and in no other way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest

from builders.core.digest import Digest
from builders.jail import ParserJail
from builders.recipe.signature import PinnedSignature, SignedFormat
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Facts, Unreachable, Unread, compare
from pipelines.judge.signatures.clamsign import CLAMSIGN
from pipelines.judge.signatures.signature_format import BadSignatureError, Refused
from pipelines.judge.updates.external_signatures import with_external_signatures
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.manifests.manifest_content import ManifestContent
from pipelines.judge.updates.manifests.read_manifest import MANIFEST, ManifestChoice
from pipelines.judge.updates.update_fault import UpdateFault, UpdateRefused
from tests.judge.signatures.cdiff_tricks import BY_CLAMAV, OURS, SHIPPED
from tests.judge.signatures.pe_tricks import ADA, EVE
from tests.judge.signatures.signing import Signing, cms_of
from tests.judge.updates.external_signatures import external, in_one_line
from tests.judge.updates.manifest_scene import ManifestScene
from tests.judge.updates.rauc_manifests import bundle
from tests.judge.updates.tuf_repository import RELEASES

DELTA, SIGN = "test-7.cdiff", "test-7.cdiff.sign"
BY_ADA = PinnedSignature(format=SignedFormat.CLAMSIGN, signers=(ADA.pin,))
REQUIRED = BY_CLAMAV.model_copy(update={"external": "required"})
BY_BOTH = PinnedSignature(format=SignedFormat.CLAMSIGN, signers=(ADA.pin, EVE.pin))
DIGEST = {"type": "message_digest", "values": [bytes(32)]}

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


Change = Callable[[Facts], Facts]


def not_served(facts: Facts) -> Facts:
    served = {**facts.served, SIGN: Unreachable(reason="not found")}
    manifests = {name: one for name, one in facts.manifests.items() if name != SIGN}
    return replace(facts, served=served, manifests=manifests)


def not_served_but_judged(facts: Facts) -> Facts:
    return replace(not_served(facts), manifests=facts.manifests)


def other_published(facts: Facts) -> Facts:
    declared = tuple(
        replace(one, published=Digest.of(b"other")) if one.name == SIGN else one
        for one in facts.declared
    )
    return replace(facts, declared=declared)


def unread(facts: Facts) -> Facts:
    return replace(facts, manifests={SIGN: Unread(reason="no jail")})


def not_read(facts: Facts) -> Facts:
    return replace(facts, manifests={})


def without_target(facts: Facts) -> Facts:
    """Leave a manifest unjudged, as where nothing stands for the file that it signs."""
    refused = UpdateRefused(fault=UpdateFault.TARGET_NOT_REBUILT, detail="nothing was built")
    return replace(facts, manifests={SIGN: ManifestFact(format=OF_DELTA.format, refused=refused)})


def unchanged(facts: Facts) -> Facts:
    return facts


def judged(
    sign: bytes, change: Change = unchanged, *, required: bool, declared: DeclaredManifest | None
) -> dict[str, tuple[str, str]]:
    """Return verdicts and reasons, as a recipe with that demand and that manifest has them."""
    made = scene(sign)
    pins = {**made.pins, DELTA: REQUIRED} if required else made.pins
    manifests = {SIGN: declared} if declared else {}
    return verdicts(with_external_signatures(change(made.facts()), pins, manifests))


def verdicts(facts: Facts) -> dict[str, tuple[str, str]]:
    """Return verdicts and reasons by name, where the signature is declared as a manifest."""
    declared = tuple(
        replace(one, is_update=one.name == SIGN, stands_in=one.name == SIGN)
        for one in facts.declared
    )
    left = compare(replace(facts, declared=declared))
    return {one.name: (str(one.verdict), one.reason) for one in left}


def test_a_missing_external_signature_is_no_pass() -> None:
    found = judged(external(), not_served, required=False, declared=OF_DELTA)
    assert found[DELTA][0] == "IDENTICAL_SIGNED", "by the signature in it"
    assert found[SIGN][0] == "NOT_CHECKED"
    assert "unreachable" in found[SIGN][1]


def test_a_signature_in_the_file_that_does_not_count_is_named_first() -> None:
    made = scene(external())
    by_eve = made.but(shipped={**made.shipped, DELTA: SHIPPED[:-9] + b"A" * 9})
    left = with_external_signatures(by_eve.facts(), {**made.pins, DELTA: REQUIRED}, {})
    found = left.grafts[DELTA]
    assert isinstance(found, Refused)
    assert found.fault == "signature-invalid"


NOT_READ = f"signature-not-read: the external signature {SIGN}:"
OF_ANOTHER = DeclaredManifest(format=ManifestName.CLAMSIGN, files={"signed-file": "test-7.cvd"})
OF_TUF = DeclaredManifest(format=ManifestName.TUF_TARGETS, files={"signed-file": DELTA})
LACKING: dict[str, tuple[str, str, bytes, Change, DeclaredManifest | None]] = {
    "that holds": ("IDENTICAL_SIGNED", "same SHA-256", external(), unchanged, OF_DELTA),
    "that is not shipped": (
        "DIFFERENT", "external-signature-missing", external(), unchanged, None,
    ),
    "of another file": (
        "DIFFERENT", "external-signature-missing", external(), unchanged, OF_ANOTHER,
    ),
    "that is another manifest": (
        "DIFFERENT", "external-signature-missing", external(), unchanged, OF_TUF,
    ),
    "by another signer": (
        "DIFFERENT", "external-signature-refused", external(EVE), unchanged, OF_DELTA,
    ),
    "over other bytes": (
        "DIFFERENT", "external-signature-refused", external(content=OURS), unchanged, OF_DELTA,
    ),
    "that is not the published one": (
        "DIFFERENT", "external-signature-refused", external(), other_published, OF_DELTA,
    ),
    "that is not served": (
        "NOT_CHECKED", f"{NOT_READ} not found", external(), not_served, OF_DELTA,
    ),
    "that is judged and not served": (
        "NOT_CHECKED", f"{NOT_READ} not found", external(), not_served_but_judged, OF_DELTA,
    ),
    "that no jail read": ("NOT_CHECKED", f"{NOT_READ} no jail", external(), unread, OF_DELTA),
    "that nothing read": (
        "NOT_CHECKED", f"{NOT_READ} nothing has read it", external(), not_read, OF_DELTA,
    ),
    "that is not judged": (
        "NOT_CHECKED", "signature-not-read", external(), without_target, OF_DELTA,
    ),
}  # fmt: skip
"""Verdict on the delta and how its reason begins, by what is shipped, changed and declared."""


@pytest.mark.parametrize("name", LACKING)
def test_a_file_that_needs_an_external_signature_is_judged_with_it(name: str) -> None:
    verdict, reason, sign, change, declared = LACKING[name]
    found = judged(sign, change, required=True, declared=declared)[DELTA]
    assert found[0] == verdict
    assert found[1].startswith(reason), found
    without = judged(sign, change, required=False, declared=declared)[DELTA]
    assert without[0] == "IDENTICAL_SIGNED", "nothing demands it"


@pytest.mark.parametrize(
    ("declared", "sign", "change", "verdict", "reason"),
    [
        (OF_DELTA, external(content=OURS), unchanged, "IDENTICAL", "same SHA-256"),
        (None, external(content=OURS), unchanged, "NOT_CHECKED", ": external-signature-missing"),
        (OF_DELTA, external(), unchanged, "NOT_CHECKED", ": external-signature-refused"),
        (OF_DELTA, external(content=OURS), not_served, "NOT_CHECKED", NOT_READ),
    ],
    ids=["that holds", "that is not shipped", "over other bytes", "that is not served"],
)
def test_a_file_that_is_ours_as_it_is_needs_its_external_signature_too(
    declared: DeclaredManifest | None, sign: bytes, change: Change, verdict: str, reason: str
) -> None:
    made = scene(sign).but(shipped={DELTA: OURS, SIGN: sign}, pins={DELTA: REQUIRED, SIGN: BY_ADA})
    manifests = {SIGN: declared} if declared else {}
    facts = with_external_signatures(change(made.facts()), made.pins, manifests)
    assert (DELTA in facts.grafts) == (verdict == "NOT_CHECKED")
    found = verdicts(facts)[DELTA]
    assert found[0] == verdict
    assert reason in found[1]


@pytest.mark.parametrize("change", [unchanged, not_served])
def test_each_of_several_external_signatures_has_to_hold(change: Change) -> None:
    second = "second.sign"
    made = scene(external()).but(
        shipped={DELTA: SHIPPED, SIGN: external(), second: external(EVE)},
        manifests={SIGN: OF_DELTA, second: OF_DELTA},
        pins={DELTA: REQUIRED, SIGN: BY_ADA, second: BY_ADA},
    )
    left = with_external_signatures(change(made.facts()), made.pins, made.manifests)
    found = left.grafts[DELTA]
    assert isinstance(found, Refused)
    assert (found.fault, found.detail.partition(":")[0]) == ("external-signature-refused", second)


def test_only_files_that_can_have_an_external_signature_can_need_one() -> None:
    with pytest.raises(ValueError, match="external for format clamsign; expected one of cdiff"):
        PinnedSignature(format=SignedFormat.CLAMSIGN, signers=(ADA.pin,), external="required")


@pytest.mark.parametrize(
    ("sign", "pins", "fault", "says"),
    [
        (external, BY_BOTH, "missing-signer", str(EVE.pin)),
        (lambda: _stating(DIGEST), BY_ADA, "signature-unreadable", "states no digest, or several"),
    ],
    ids=["by one of two", "of two digests"],
)
def test_a_signature_is_by_all_pinned_signers_and_states_one_digest(
    sign: Callable[[], bytes], pins: PinnedSignature, fault: str, says: str
) -> None:
    with pytest.raises(BadSignatureError) as raised:
        CLAMSIGN.verify(BytesIO(sign()), pins)
    assert raised.value.refused.fault == fault
    assert says in raised.value.refused.detail


def _stating(*more: object) -> bytes:
    """Return a signature that states other digests, too."""
    return in_one_line(cms_of(Signing(by=ADA, signed_attributes=more), "data", b"\4\0"))


def test_what_a_recipe_pins_for_one_is_found_wherever_the_file_stands() -> None:
    file = BytesIO(external())
    file.seek(9)
    assert CLAMSIGN.pins(file).pinned == BY_ADA


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

"""What a recipe would pin for a signed file: all that is in its signatures, each by its role."""

from __future__ import annotations

import io

import pytest

from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.nuget import NUGET
from pipelines.judge.signatures.pe import PE
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFormat
from tests.judge.signatures import test_nuget, test_pe
from tests.judge.signatures.pe_tricks import ADA, BY_ADA, OLD, OURS, ROOT, TAG
from tests.judge.signatures.signing import Signing, Vendor, edited, signed, value

TAGGED = signed(OURS, Signing(by=ADA, attributes=(TAG,)))
FILES: dict[str, tuple[SignatureFormat, bytes, PinnedSignature]] = {
    **{f"pe: {name}": (PE, *one) for name, one in test_pe.GOOD.items()},
    **{f"nuget: {name}": (NUGET, *one) for name, one in test_nuget.GOOD.items()},
    "pe: an attribute that says nothing of certificates": (PE, TAGGED, BY_ADA),
}


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_in_a_signature_is_pinned_by_its_role(name: str) -> None:
    form, shipped, pins = FILES[name]
    found = form.pins(io.BytesIO(shipped))
    for role in ("signers", "certificates", "time_stamps"):
        pinned = getattr(found.pinned, role)
        assert sorted(map(str, pinned)) == sorted(map(str, getattr(pins, role))), role
    pinned = (*pins.signers, *pins.certificates, *pins.time_stamps)
    assert found.names.keys() == set(map(str, pinned))


def test_of_a_signature_that_is_no_der_nothing_is_pinned() -> None:
    der = edited(Signing(by=ADA).pkcs7(OURS), lambda _: value(0x02, b"\0\1"), 0, 1, 0, 0)
    with pytest.raises(BadSignatureError, match="an integer that is longer"):
        pins_of(SignedFormat.PE, [der])


def test_a_certificate_is_shown_by_its_name_and_last_day() -> None:
    found = pins_of(SignedFormat.APK, (), [(OLD.der, ROOT.der)])
    assert found.names == {
        str(OLD.pin): "CN=old, valid until 2021-01-01",
        str(ROOT.pin): "CN=root, valid until 2999-01-01",
    }


@pytest.mark.parametrize(
    ("signers", "others", "fits"),
    [(16, 64, True), (17, 0, False), (1, 65, False), (0, 0, False)],
)
def test_a_recipe_pins_so_many_at_most(signers: int, others: int, *, fits: bool) -> None:
    made = [Vendor.of(f"{n}", ROOT.key).der for n in range(signers + others)]
    chains = [(one, *made[signers:]) for one in made[:signers]]
    if fits:
        pinned = pins_of(SignedFormat.APK, (), chains).pinned
        assert (len(pinned.signers), len(pinned.certificates)) == (signers, others)
        return
    with pytest.raises(BadSignatureError, match=f"{signers} signers and {others} other"):
        pins_of(SignedFormat.APK, (), chains)

"""How much may be masked, to the byte, and of how many files."""

from __future__ import annotations

import io

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.rebuild.rebuild_result import Output, OutputKind
from builders.recipe.normalizers import MAX_MASKED, DeclaredNormalizer, NormalizerName
from pipelines.judge.compare import Declared, Facts, Unreachable
from pipelines.judge.finding import FileFact
from pipelines.judge.masking import with_masks
from pipelines.judge.normalizers.ledger import MaskFault, MaskLedger, NotMasked
from pipelines.judge.normalizers.mask import mask
from pipelines.judge.signatures.signature_format import Uncovered
from tests.fakes.jail import OpenJail
from tests.judge.normalizers.made_files import ar, edited, tar
from tests.judge.normalizers.trick import NEW, OLD, declared

TIMES, OWNERS = NormalizerName.AR_TIMES, NormalizerName.AR_OWNERS


def fault(shipped: bytes, rebuilt: bytes, *allowed: DeclaredNormalizer) -> MaskFault | None:
    found = mask(OpenJail(), io.BytesIO(shipped), io.BytesIO(rebuilt), allowed)
    return found.fault if isinstance(found, NotMasked) else None


def sized(time: int, size: int) -> bytes:
    """Return an ar of one member and `size` bytes."""
    content = size - 8 - 60
    head = b"%-16s%-12d%-6d%-6d%-8o%-10d`\n" % (b"a", time, 0, 0, 0o644, content)
    return b"!<arch>\n" + head + bytes(content)


@pytest.mark.parametrize(("size", "found"), [(11_998, MaskFault.TOO_MUCH), (12_000, None)])
def test_a_thousandth_is_counted_in_whole_bytes(size: int, found: MaskFault | None) -> None:
    assert fault(sized(1, size), sized(2, size), *declared(TIMES)) is found


@pytest.mark.parametrize(("most", "found"), [(11, MaskFault.TOO_MUCH), (12, None)])
def test_a_recipe_says_how_much_in_bytes(most: int, found: MaskFault | None) -> None:
    assert fault(sized(1, 500), sized(2, 500), *declared(TIMES, bytes=most)) is found


def test_each_normalizer_has_a_limit_of_its_own_or_shares_the_default() -> None:
    shipped, rebuilt = ar(OLD, 1), ar(NEW, 2)  # 24 bytes of times, 24 of owners, of 65 KiB
    assert fault(shipped, rebuilt, *declared(TIMES, OWNERS)) is None
    assert fault(shipped, rebuilt, *declared(TIMES, bytes=24), *declared(OWNERS)) is None
    few = (*declared(TIMES, bytes=23), *declared(OWNERS))
    assert fault(shipped, rebuilt, *few) is MaskFault.TOO_MUCH
    small, other = sized(1, 12_000), edited(sized(2, 12_000), 8 + 28, b"7")
    assert fault(small, other, *declared(TIMES, OWNERS)) is MaskFault.TOO_MUCH
    assert fault(small, other, *declared(TIMES), *declared(OWNERS, bytes=6)) is None


def many(time: int) -> bytes:
    """Return an ar of so many members that their times are more than may be masked in all."""
    one = b"%-16d%-12d%-6d%-6d%-8o%-10d`\n"
    return b"!<arch>\n" + b"".join(
        one % (number, time, 0, 0, 0o644, 0) for number in range(MAX_MASKED // 12 + 1)
    )


def test_no_recipe_says_more_than_the_most() -> None:
    made = many(10), many(11)
    assert fault(*made, *declared(TIMES, bytes=MAX_MASKED)) is MaskFault.TOO_MUCH


def test_normalizers_share_the_most() -> None:
    def owned(time: int, owner: int) -> bytes:
        one = b"%-16d%-12d%-6d%-6d%-8o%-10d`\n"
        return b"!<arch>\n" + b"".join(
            one % (number, time, owner, owner, 0o644, 0) for number in range(MAX_MASKED // 24 + 1)
        )

    allowed = (*declared(TIMES, bytes=MAX_MASKED), *declared(OWNERS, bytes=MAX_MASKED))
    assert fault(owned(10, 1), owned(11, 1), *allowed) is None
    assert fault(owned(10, 1), owned(11, 2), *allowed) is MaskFault.TOO_MUCH


def test_what_differs_behind_much_that_is_the_same_is_found() -> None:
    size, end = 3 << 20, 68 + (2 << 20)
    shipped, rebuilt = sized(1, size), sized(2, size)
    assert fault(shipped, rebuilt, *declared(TIMES)) is None
    assert fault(edited(shipped, end, b"evil"), rebuilt, *declared(TIMES)) is MaskFault.CONTENT
    assert fault(edited(rebuilt, end, b"evil"), rebuilt, *declared(TIMES)) is MaskFault.CONTENT


@pytest.mark.parametrize(
    ("offset", "length", "covered"),
    [(0, 24, True), (23, 1, True), (23, 2, False), (35, 1, False), (36, 1, True), (24, 12, False)],
)
def test_a_field_is_signed_where_the_signature_covers_all_of_it(
    offset: int, length: int, *, covered: bool
) -> None:
    files = io.BytesIO(sized(1, 12_000)), io.BytesIO(sized(2, 12_000))
    bare = [Uncovered(offset=offset, length=length, why="structure")]
    found = mask(OpenJail(), *files, declared(TIMES), unsigned=bare)
    assert isinstance(found, MaskLedger)
    assert [line.signed for line in found.lines] == [covered]


def test_every_artefact_is_looked_at_that_differs_and_was_built_and_served() -> None:
    files = {
        "same.a": (ar(OLD), ar(OLD)),
        "one.a": (ar(OLD), ar(NEW)),
        "unserved.a": (ar(OLD), ar(NEW)),
        "unbuilt.a": (ar(OLD), None),
        "other.tar": (tar(OLD), tar(NEW)),
    }
    facts = Facts(
        outcome=Outcome.BUILT,
        outcome_reason=None,
        declared=tuple(Declared(name=n, published=Digest.of(s)) for n, (s, _) in files.items()),
        rebuilt=tuple(
            Output(name=n, size=len(r), sha256=Digest.of(r), part=OutputKind.ARTEFACT)
            for n, (_, r) in files.items()
            if r is not None
        ),
        served={
            n: Unreachable(reason="down")
            if n == "unserved.a"
            else FileFact(sha256=Digest.of(s), size=len(s))
            for n, (s, _) in files.items()
        },
        input_fault=None,
    )
    allowed = dict.fromkeys(files, declared(TIMES))

    def masks(facts: Facts) -> dict[str, type]:
        found = with_masks(
            facts,
            allowed,
            {},
            OpenJail(),
            shipped=lambda name, _: io.BytesIO(files[name][0]),
            rebuilt=lambda name, _: io.BytesIO(files[name][1] or b""),
            scanned=[],
        )
        return {name: type(one) for name, one in found.masks.items()}

    assert masks(facts) == {"one.a": MaskLedger, "other.tar": NotMasked}
    for nothing in (
        {"outcome": Outcome.BUILD_FAILED},
        {"input_fault": "copied-input: one.a is already in the source"},
    ):
        assert masks(Facts(**{**vars(facts), **nothing})) == {}

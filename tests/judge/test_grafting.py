"""Which artefacts are given the signature of the shipped file."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.jail.errors import JailUnavailableError
from builders.rebuild.rebuild_result import Output, OutputKind
from pipelines.judge.compare import Declared, Facts, Unreachable, compare
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import Opener, with_grafts
from pipelines.judge.signatures.signature_format import Graft
from tests.fakes.jail import OpenJail
from tests.judge.signatures.pe_tricks import ADA, BY_ADA, OURS
from tests.judge.signatures.signing import Signing, signed

SHIPPED = signed(OURS, Signing(by=ADA))
SERVED = FileFact(sha256=Digest.of(SHIPPED), size=len(SHIPPED))
BUILT = {"out-of-reach": OURS, "the-same": SHIPPED, "signed": OURS}
FACTS = Facts(
    outcome=Outcome.BUILT,
    outcome_reason=None,
    declared=tuple(Declared(name=name, published=SERVED.sha256) for name in ("lost", *BUILT)),
    rebuilt=tuple(
        Output(name=name, size=len(data), sha256=Digest.of(data), part=OutputKind.ARTEFACT)
        for name, data in BUILT.items()
    ),
    served={
        "lost": SERVED,
        "out-of-reach": Unreachable(reason="no answer"),
        "the-same": SERVED,
        "signed": SERVED,
    },
    input_fault=None,
)


def grafted(facts: Facts, jail: OpenJail) -> tuple[Facts, list[str]]:
    """Return the facts with grafts, and the names of the files that were opened for them."""
    opened: list[str] = []

    def opener(data: bytes) -> Opener:
        def opens(name: str, digest: Digest) -> io.BytesIO:
            assert digest == Digest.of(data)
            opened.append(name)
            return io.BytesIO(data)

        return opens

    pins = {one.name: BY_ADA for one in facts.declared}
    files = {"shipped": opener(SHIPPED), "rebuilt": opener(OURS)}
    return with_grafts(facts, pins, jail, scanned=[], **files), opened


def test_what_was_rebuilt_and_differs_is_given_the_signature() -> None:
    found, opened = grafted(FACTS, OpenJail())
    assert opened == ["signed", "signed"]
    assert found.grafts.keys() == {"signed"}
    assert isinstance(found.grafts["signed"], Graft)
    assert [one.verdict for one in compare(found)] == [
        Verdict.MISSING,
        Verdict.NOT_CHECKED,
        Verdict.IDENTICAL,
        Verdict.IDENTICAL_SIGNED,
    ]


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, outcome=Outcome.BUILD_FAILED),
        replace(FACTS, input_fault="copied-input: signed is already in the source"),
    ],
    ids=["no build", "a copied input"],
)
def test_of_what_is_not_judged_no_file_is_opened(facts: Facts) -> None:
    assert grafted(facts, OpenJail()) == (facts, [])


def test_without_a_jail_a_signature_is_not_checked() -> None:
    found, _ = grafted(FACTS, OpenJail(JailUnavailableError("no jail", got="this machine")))
    finding = compare(found)[-1]
    assert (finding.verdict, finding.signature) == (Verdict.NOT_CHECKED, None)
    assert finding.reason.startswith("signature-not-read: no jail")

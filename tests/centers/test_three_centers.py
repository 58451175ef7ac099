"""Three centers from their rebuilds to one consensus, and what a bad one among them comes to.

Builds, stores, logs, witnesses and policies are real; only what a bad center does is made up.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from builders.core.enums import Verdict
from builders.core.errors import RecipeError
from builders.images.provide import ProvidedImage
from builders.rebuild.seal import SealedFile
from infra.bench.madeup import MadeUpKey, MadeUpRun
from pipelines.audit.log_audit import GapKind
from pipelines.bundle import Bundle
from pipelines.bundle.check import CheckStatus
from pipelines.bundle.layout import PROOF
from pipelines.center.keys import center_key, log_key
from pipelines.center.logs import check_completeness, own_log, own_witness, peer_log
from pipelines.consensus.joined_result import Result
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.report import Report
from pipelines.evidence.statements.consensus_results import CrosscheckStatement, Proof
from pipelines.evidence.statements.log_status import Complaint
from pipelines.evidence.statements.reader import read_statement
from pipelines.log.proof import LogProof
from pipelines.log.tiles import CHECKPOINT
from pipelines.log.witness import WitnessOutcome
from pipelines.nightly.periodic import publish_own_heartbeat, witness_round
from pipelines.policy import read_policy
from pipelines.policy.joint import JoinOptions, join_policies
from pipelines.verify.session import Session
from tests.centers.three import (
    NAMES,
    PRODUCT,
    SHIPPED,
    SYMBOLS,
    Ahead,
    CopiedRun,
    Three,
    outs,
    run_name,
)
from tests.log.keys import identity

OTHER_FILE = b"a file for Asia alone\n"


@dataclasses.dataclass(kw_only=True)
class Ran:
    """The centers after their runs, which no test changes."""

    three: Three
    reports: dict[tuple[str, str], Report]


@pytest.fixture(scope="module")
def ran(build_image: ProvidedImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """All three built `tool`; of `odd` the Americas built other bytes; `swap` was served Asia as
    another file; of `echo` the Americas have built nothing."""
    three = Three.made(tmp_path_factory.mktemp("three"))
    for product in ("tool", "odd", "echo"):
        three.release(product)
    three.release("swap", served={"asia": OTHER_FILE})
    reports = {}
    for name in NAMES:
        for product in ("tool", "odd", "swap", "echo"):
            if (name, product) == ("americas", "echo"):
                continue
            odd = (name, product) == ("americas", "odd")
            wrap = three.tampered(name, product) if odd else None
            reports[name, product] = three.verify(name, product, wrap)
    yield Ran(three=three, reports=reports)
    three.close()


_copies = count()


@pytest.fixture
def three(ran: Ran, tmp_path: Path) -> Iterator[Three]:
    """The same centers for a test of its own."""
    copy = ran.three.copied(tmp_path / f"three-{next(_copies)}")
    yield copy
    copy.close()


def meet(three: Three) -> None:
    """Let every center beat, look at the others' logs, and take in their cosignatures."""
    for name in NAMES:
        publish_own_heartbeat(three.session(name))
    for name in NAMES * 2:
        witness_round(three.session(name))


def sights(three: Three, witness: str) -> dict[str, WitnessOutcome]:
    return {peer: seen.outcome for peer, seen in witness_round(three.session(witness))}


def test_three_honest_centers_confirm_a_release(ran: Ran) -> None:
    assert {ran.reports[name, "tool"].verdict for name in NAMES} == {Verdict.IDENTICAL}
    for name in NAMES:
        found = ran.three.said(name, "tool")
        assert (found.result, found.passed) == (Result.CONFIRMED, True)
        assert list(found.matched) == [
            "americas-trust",
            "asia-trust",
            "europe-trust",
        ]
        assert found.regions == ("americas", "asia", "europe")
        assert found.work_proof is Proof.PROVED
        assert not found.excluded


def test_a_center_that_builds_other_bytes_is_named(ran: Ran) -> None:
    assert ran.reports["americas", "odd"].verdict is Verdict.DIFFERENT
    found = ran.three.said("europe", "odd")
    assert (found.result, found.passed) == (Result.SPLIT, False)
    assert list(found.dissenting) == ["americas-trust"]
    assert list(found.matched) == ["asia-trust", "europe-trust"]
    assert ran.three.join("europe", "odd").exit_code == 1


def test_a_policy_can_allow_one_to_dissent(three: Three) -> None:
    three.rule(max_dissent=1)
    found = three.said("europe", "odd")
    assert (found.result, found.passed) == (Result.SPLIT, True)
    assert list(found.dissenting) == ["americas-trust"]


def test_a_region_that_was_served_another_file_is_named(ran: Ran) -> None:
    assert ran.reports["asia", "swap"].verdict is Verdict.SHIPPED_MISMATCH
    for name in NAMES:
        whole = ran.three.join(name, "swap")
        (found,) = whole.artefacts
        assert found.result is Result.CONFIRMED
        assert outs(found) == {("asia", "served-another-file")}
        assert {str(a.name): [s.center.region for s in a.served] for a in found.alarms} == {
            "SHIPPED_MISMATCH": ["asia"],
            "SERVED_DIFFERENTLY": ["americas", "asia", "europe"],
        }
        assert whole.exit_code == 1


def copied(ran: Ran, run: MadeUpRun) -> CopiedRun:
    """Return an echo with Europe's keyed digest of the by-product."""
    lines = {line.name: line for line in ran.reports["europe", "echo"].by_products}
    assert set(lines) == {PRODUCT}
    return CopiedRun(
        lines=lines, **{f.name: getattr(run, f.name) for f in dataclasses.fields(MadeUpRun)}
    )


@pytest.mark.parametrize("way", ["nothing", "made-up", "copied"])
def test_a_center_that_echoes_the_public_file_does_not_count(
    ran: Ran, three: Three, way: str
) -> None:
    products = {"nothing": {}, "made-up": {PRODUCT: b"x"}, "copied": {PRODUCT: SYMBOLS}}[way]
    run = three.echo("americas", "echo", by_products=products)
    three.say(copied(ran, run) if way == "copied" else run, "americas")
    for name in ("europe", "asia"):
        found = three.said(name, "echo")
        assert found.result is Result.CONFIRMED
        assert list(found.matched) == ["asia-trust", "europe-trust"]
        assert outs(found) == {("americas", "work-wrong")}
    three.rule(k=3, regions=3)
    assert three.said("europe", "echo").result is Result.PENDING


def test_whoever_has_the_bytes_could_have_built(three: Three) -> None:
    """The killer of the test above: the same run with the true by-product counts."""
    three.say(three.echo("americas", "echo", by_products={PRODUCT: SYMBOLS}), "americas")
    assert len(three.said("europe", "echo").matched) == 3


def test_an_echo_is_named_in_a_signed_cross_check(three: Three) -> None:
    three.say(three.echo("americas", "echo"), "americas")
    for name in ("europe", "asia"):
        three.join(name, "echo", publish=True)
    store = three.store("europe")
    names = [n for n in store.list("public/crosschecks/") if "/americas/" in n]
    statement = read_statement(Envelope.from_bytes(store.get(names[0], 1 << 20)).payload)
    assert isinstance(statement, CrosscheckStatement)
    assert statement.predicate.proof is Proof.WRONG
    # whoever has built nothing goes by what the others have signed
    shutil.rmtree(three.root / "asia" / "store" / "private" / "cas")
    assert outs(three.said("asia", "echo")) >= {("americas", "work-wrong")}


def test_a_silent_peer_is_named_and_the_others_go_on(three: Three) -> None:
    (three.root / "asia" / "store").rename(three.root / "asia" / "away")
    whole = three.join("europe", "tool")
    assert whole.artefacts[0].result is Result.CONFIRMED
    assert {who for who, _ in outs(whole)} == {"asia"}
    assert sights(three, "europe") == {
        "asia": WitnessOutcome.SILENT,
        "americas": WitnessOutcome.COSIGNED,
    }
    (three.root / "americas" / "store").rename(three.root / "americas" / "away")
    assert three.said("europe", "tool").result is Result.PENDING


def test_a_peer_that_answers_rubbish_is_named_and_refused(three: Three) -> None:
    for path in (three.root / "asia" / "store" / "public").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"\x00rubbish\xff" * 9)
    whole = three.join("europe", "tool")
    assert whole.artefacts[0].result is Result.CONFIRMED
    assert list(whole.artefacts[0].matched) == ["americas-trust", "europe-trust"]
    assert {who for who, _ in outs(whole)} == {"asia"}
    assert sights(three, "europe") == {
        "asia": WitnessOutcome.REFUSED,
        "americas": WitnessOutcome.COSIGNED,
    }


def test_a_peer_that_rolls_its_log_back_is_refused(three: Three) -> None:
    log = three.root / "asia" / "store" / "public" / "log"
    shutil.copytree(log, three.root / "before")
    publish_own_heartbeat(three.session("asia"))
    assert sights(three, "europe")["asia"] is WitnessOutcome.COSIGNED
    shutil.rmtree(log)
    (three.root / "before").rename(log)
    seen = dict(witness_round(three.session("europe")))["asia"]
    assert (seen.outcome, seen.complaint) == (WitnessOutcome.REFUSED, Complaint.SHORTENED)
    assert sights(three, "americas")["asia"] is WitnessOutcome.COSIGNED


def test_what_a_rolled_back_log_has_not_does_not_count(three: Three) -> None:
    log = three.root / "asia" / "store" / "public" / "log"
    shutil.copytree(log, three.root / "before")
    again = three.verify("asia", "echo")
    shutil.rmtree(log)
    (three.root / "before").rename(log)
    whole = three.join("europe", "echo")
    assert ("asia", "not-logged") in outs(whole)
    assert all(again.run not in voice.newest[0].run for voice in whole.artefacts[0].operators)


def test_a_statement_by_an_unknown_key_counts_for_nothing(three: Three) -> None:
    run = three.echo("americas", "echo", by_products={PRODUCT: SYMBOLS})
    three.say(run, "americas", MadeUpKey("a stranger"))
    whole = three.join("europe", "echo")
    assert outs(whole) == {("americas", "unknown-key"), ("americas", "missing")}
    assert list(whole.artefacts[0].matched) == ["asia-trust", "europe-trust"]


def test_a_statement_that_is_in_no_log_counts_for_nothing(three: Three) -> None:
    run = three.echo("americas", "echo", by_products={PRODUCT: SYMBOLS})
    for name, envelope in run.envelopes(center_key(three.center("americas"))).items():
        three.store("americas").put_record(run.folder() + name, envelope.to_bytes())
    assert outs(three.join("europe", "echo")) == {("americas", "not-logged")}


def test_two_operators_with_one_key_get_no_policy(three: Three) -> None:
    sources = [read_policy(three.root / n / "policy" / "policy.yaml") for n in NAMES]
    asia = dataclasses.replace(sources[1].operators[0], key=sources[0].operators[0].key)
    sources[1] = dataclasses.replace(sources[1], operators=(asia,))
    with pytest.raises(RecipeError, match="one key is used twice"):
        join_policies(sources, JoinOptions())
    for wishes in (JoinOptions(k=4), JoinOptions(threshold=4), JoinOptions(regions=4)):
        with pytest.raises(RecipeError, match="than there are"):
            join_policies(
                [read_policy(three.root / n / "policy/policy.yaml") for n in NAMES], wishes
            )


def test_a_clock_an_hour_ahead_changes_nothing(
    three: Three, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        for module in (
            "builders.core.runid",
            "pipelines.verify.verify",
            "pipelines.signer.local_signer",
            "pipelines.nightly.periodic",
            "pipelines.center.logs",
        ):
            patched.setattr(f"{module}.datetime", Ahead)
        report = three.verify("asia", "tool")
        publish_own_heartbeat(three.session("asia"))
        witness_round(three.session("asia"))
    assert report.run > f"{datetime.now(UTC) + timedelta(minutes=50):%Y%m%dT%H%M%SZ}"
    found = three.said("europe", "tool")
    assert (found.result, len(found.matched)) == (Result.CONFIRMED, 3)
    runs = {f.center.id: f.run for operator in found.operators for f in operator.matching}
    assert runs["asia"] == report.run
    assert sights(three, "europe")["asia"] is WitnessOutcome.COSIGNED
    witness_round(three.session("asia"))
    result = three.checked(three.bundle("asia", run_name(report)))
    assert result.exit_code == 0, [s for s in result.steps if s.status is not CheckStatus.OK]


def test_a_bundle_checks_offline_by_the_joint_policy(ran: Ran, three: Three) -> None:
    meet(three)
    for name in NAMES:
        bundle = three.bundle(name, run_name(ran.reports[name, "tool"]))
        result = three.checked(bundle, max_age=timedelta(hours=1))
        assert result.exit_code == 0, [s for s in result.steps if s.status is not CheckStatus.OK]
        told = {step.name: step.message for step in result.steps}
        others = ", ".join(sorted(set(NAMES) - {name}))
        assert told["witnesses"] == f"witnessed by {others}"
    found = three.checked(three.bundle("americas", run_name(ran.reports["americas", "odd"])))
    assert (found.exit_code, found.artefacts[0].verdict) == (1, Verdict.DIFFERENT)


def test_a_bundle_that_no_other_center_has_witnessed_is_refused(three: Three) -> None:
    bundle = three.bundle("europe", run_name(three.verify("europe", "tool")))
    wrong = [s.name for s in three.checked(bundle).steps if s.status is CheckStatus.WRONG]
    assert wrong == ["witnesses"]


def test_what_a_center_says_of_its_own_log_is_no_witness(ran: Ran, three: Three) -> None:
    name = run_name(ran.reports["europe", "tool"])
    europe = three.center("europe")
    own = own_witness(europe, three.store("europe"))
    seen = own.cosign(three.store("europe"), identity(log_key(europe), origin=europe.origin))
    assert seen.record is not None
    cosigned = three.store("europe").get(seen.record, 1 << 20)
    three.store("europe").put_latest(CHECKPOINT, cosigned)
    bundle = with_checkpoint(three.bundle("europe", name), cosigned)
    wrong = [s for s in three.checked(bundle).steps if s.status is CheckStatus.WRONG]
    assert [s.name for s in wrong] == ["witnesses"]
    assert "got none" in wrong[0].message


def with_checkpoint(bundle: bytes, note: bytes) -> bytes:
    """Return a bundle whose proofs stand under another note of the same tree."""
    members = dict(Bundle.from_bytes(bundle).members)
    for member, data in members.items():
        if member.endswith(PROOF):
            proof = LogProof.parse(data)
            members[member] = dataclasses.replace(proof, checkpoint=note).to_bytes()
    return Bundle.of(members).to_bytes()


def test_a_statement_on_its_way_into_the_log_is_no_gap(three: Three) -> None:
    asia = three.center("asia")
    book = Session(asia).logbook()
    run = three.echo("asia", "tool")
    with book.storing(run.folder()):
        for record, envelope in run.envelopes(center_key(asia)).items():
            three.store("asia").put_record(run.folder() + record, envelope.to_bytes())
    known = peer_log(three.policy(), three.center("europe").peers[0])
    kept = check_completeness(known, wait=lambda _: None).gaps
    assert {gap.kind for gap in kept} == {GapKind.UNLOGGED}
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        book.settle()

    found = check_completeness(known, wait=wait).gaps
    assert len(waited) == 1
    assert GapKind.UNLOGGED not in {gap.kind for gap in found}
    check_completeness(own_log(three.center("europe"), three.policy()), wait=waited.append)
    assert len(waited) == 1


def test_every_log_is_whole_after_everything(three: Three) -> None:
    for name in NAMES:
        for product in ("tool", "odd", "swap", "echo"):
            three.join(name, product, publish=True)
    meet(three)
    for name in NAMES:
        known = own_log(three.center(name), three.policy())
        assert check_completeness(known, wait=lambda _: None).gaps == []


def test_the_sealed_lines_of_two_centers_are_never_equal(ran: Ran) -> None:
    """Of one file, so that nobody can show another's as its own."""
    told: dict[str, set[SealedFile]] = {}
    for name in NAMES:
        for line in ran.reports[name, "tool"].by_products:
            told.setdefault(line.name, set()).add(line)
    assert {name: len(lines) for name, lines in told.items()} == {PRODUCT: 3}
    assert {line.size for lines in told.values() for line in lines} == {len(SYMBOLS)}
    assert SHIPPED

"""What the base of an update rests on, by the statements of the center that judged it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun
from pipelines.audit.base_runs import first_logged_sight, is_own_statement, own_base_run
from pipelines.evidence.dsse import Envelope
from pipelines.judge.updates.checked_delta import BaseChain, BaseRun
from pipelines.judge.updates.update_fault import UpdateFault
from tests.consensus.chain_world import DELTA, TARGET, ChainSite, ChainWorld, content, release

OTHER = b"other bytes"


@pytest.fixture
def site() -> ChainSite:
    return ChainWorld("ada")["ada-1"]


def first_sight(site: ChainSite, data: bytes) -> datetime | None:
    """Return when the site first compared a file of 1.0."""

    def is_own(envelope: Envelope) -> bool:
        return is_own_statement(envelope, [site.key.public], lambda pae: pae in site.log)

    return first_logged_sight(site.store, site.id, release("1.0"), Digest.of(data), is_own)


def test_a_file_was_first_seen_when_the_log_says_so(site: ChainSite) -> None:
    assert first_sight(site, content("1.0")) is None
    first = site.full("1.0")
    assert first_sight(site, content("1.0")) == first.finished
    site.full("1.0")
    assert first_sight(site, content("1.0")) == first.finished
    assert first_sight(site, OTHER) is None


def test_what_is_not_in_the_log_makes_no_file_older(site: ChainSite) -> None:
    run = site.made(release=release("1.0"), files={TARGET: MadeUpFile.identical(content("1.0"))})
    early = replace(run, run="20200101T030405Z-0a1b2c3d")
    for name, envelope in early.envelopes(site.key).items():
        site.put(early.folder() + name, envelope, logged=False)
    assert first_sight(site, content("1.0")) is None
    later = site.full("1.0")
    assert first_sight(site, content("1.0")) == later.finished


def judged(
    site: ChainSite, version: str, data: bytes | None = None, **named: str
) -> BaseRun | None:
    """Return the run of the site that judged the file of a version."""

    def is_own(envelope: Envelope) -> bool:
        return is_own_statement(envelope, [site.key.public], lambda pae: pae in site.log)

    digest = Digest.of(content(version) if data is None else data)
    return own_base_run(site.store, site.id, release(version), digest, is_own, **named)


def chain_of(site: ChainSite, version: str) -> BaseChain:
    found = judged(site, version)
    assert found is not None
    return found.chain


def update(site: ChainSite, version: str, on: str, **changes: Any) -> MadeUpRun:
    """State an update as an honest center does: with what its base rests on."""
    base = judged(site, on)
    assert base is not None
    file = site.delta(version, on)
    assert file.delta is not None
    chain = file.delta.base.chain
    assert chain is not None
    below = base.chain
    chain = chain.model_copy(
        update={
            **below.only("links", "release", "run", "worst", "worst_release"),
            "digest": chain.digest.model_copy(update={"sha256": below.sha256}),
        }
    )
    reference = file.delta.base.model_copy(update={"chain": chain})
    delta = file.delta.model_copy(update={"base": reference})
    file = replace(replace(file, delta=delta), **changes)
    return site.state(version, {TARGET: MadeUpFile.identical(content(version)), DELTA: file})


def test_a_run_can_be_named(site: ChainSite) -> None:
    first = site.full("1.0")
    site.full("1.0")
    found = judged(site, "1.0", run=first.run)
    assert found is not None
    assert found.run == first.run
    assert judged(site, "1.0", run="20260102T030405Z-ffffffff") is None


def test_a_statement_counts_only_if_the_center_has_signed_and_logged_it(site: ChainSite) -> None:
    run = site.made(release=release("1.0"), files={TARGET: MadeUpFile.identical(content("1.0"))})
    for name, envelope in run.envelopes(site.key).items():
        site.put(run.folder() + name, envelope, logged=False)
    assert judged(site, "1.0") is None
    stranger = replace(run, run="20260103T030405Z-0a1b2c3d")
    for name, envelope in stranger.envelopes(MadeUpKey("a stranger")).items():
        site.put(stranger.folder() + name, envelope)
    assert judged(site, "1.0") is None


def test_a_statement_of_another_release_in_this_folder_does_not_count(site: ChainSite) -> None:
    run = site.made(release=release("0.9"), files={TARGET: MadeUpFile.identical(content("1.0"))})
    folder = replace(run, release=release("1.0")).folder()
    for name, envelope in run.envelopes(site.key).items():
        site.put(folder + name, envelope)
    assert judged(site, "1.0") is None


def test_a_delta_is_told_as_one(site: ChainSite) -> None:
    site.full("1.0")
    update(site, "1.1", "1.0")
    found = judged(site, "1.1", b"delta to 1.1")
    assert found is not None
    assert found.is_delta


@pytest.mark.parametrize("names", [(DELTA, "copy.bin"), ("copy.bin", DELTA)])
def test_a_delta_is_told_as_one_under_two_names(site: ChainSite, names: tuple[str, str]) -> None:
    site.full("1.0")
    delta, data = site.delta("1.1", "1.0"), b"delta to 1.1"
    files = {DELTA: delta, "copy.bin": MadeUpFile.identical(data)}
    site.state("1.1", {name: files[name] for name in names})
    found = judged(site, "1.1", data)
    assert found is not None
    assert found.is_delta


def test_a_chain_begins_with_a_full_release(site: ChainSite) -> None:
    run = site.full("1.0")
    for on, version in (("1.0", "1.1"), ("1.1", "1.2")):
        update(site, version, on)
    assert chain_of(site, "1.2") == BaseChain(
        links=3,
        release=release("1.0"),
        sha256=Digest.of(content("1.0")),
        run=run.run,
        worst=Verdict.IDENTICAL,
        worst_release=release("1.2"),
    )
    assert str(chain_of(site, "1.2")) == (
        f"3 updates from acme/tool@1.0 on (run {run.run}); no link is worse than IDENTICAL"
    )
    site.full("2.0")
    assert (chain_of(site, "2.0").links, chain_of(site, "2.0").release) == (1, release("2.0"))


def test_the_worst_link_is_named(site: ChainSite) -> None:
    site.full("1.0")
    update(site, "1.1", "1.0", built=OTHER, verdict=Verdict.DIFFERENT)
    update(site, "1.2", "1.1")
    found = chain_of(site, "1.2")
    assert (found.worst, found.worst_release) == (Verdict.DIFFERENT, release("1.1"))
    assert str(found) == (
        f"3 updates from acme/tool@1.0 on (run {found.run}); "
        "the worst link is DIFFERENT, in acme/tool@1.1"
    )


def test_a_link_that_was_not_judged_is_the_worst(site: ChainSite) -> None:
    site.full("1.0")
    file = site.delta("1.1", "1.0")
    assert file.delta is not None
    unjudged = {"run": None, "comparison": None, "chain": None}
    base = file.delta.base.model_copy(update=unjudged)
    delta = file.delta.model_copy(update={"base": base, "fault": UpdateFault.BASE_NOT_JUDGED})
    whole = MadeUpFile.identical(content("1.1"))
    site.state(
        "1.1", {TARGET: whole, DELTA: replace(file, delta=delta, verdict=Verdict.NOT_CHECKED)}
    )
    found = chain_of(site, "1.1")
    assert (found.links, found.release, found.run) == (2, release("1.0"), None)
    assert (found.worst, found.worst_release) == (Verdict.NOT_CHECKED, release("1.1"))


def test_of_a_long_chain_no_more_is_read_than_of_a_short_one(site: ChainSite) -> None:
    site.full("1.0")
    reads = []
    for number in range(1, 9):
        update(site, f"1.{number}", f"1.{number - 1}")
        before = len(site.store.calls)
        assert chain_of(site, f"1.{number}").links == number + 1
        reads.append(len(site.store.calls) - before)
    assert len(set(reads)) == 1

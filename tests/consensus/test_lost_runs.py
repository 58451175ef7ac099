"""A run whose outputs are lost: its center publishes the seal, and who has the file compares it."""

from __future__ import annotations

import platform
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.rebuild.seal import Seal
from infra.bench.madeup import MadeUpFile, MadeUpRun
from pipelines.alarms.alarm import OF_EXCLUSIONS
from pipelines.center.keys import log_key
from pipelines.center.logs import own_witness
from pipelines.consensus import ReleaseConsensus
from pipelines.consensus.release_consensus import join_release, read_logs
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.salt import Salt, keep_salt
from pipelines.evidence.statements.statement import DigestSet
from pipelines.log.checkpoint import LogIdentity
from pipelines.nightly.lost_runs import publish_lost
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import private_twin
from pipelines.verify.kept_seal import KeptSeal
from tests.command import samebits
from tests.consensus.two_centers import SCOPE, TwoCenters
from tests.consensus.world import CONTENT, FILE, FILES, PRODUCTS, RELEASE, World, reasons

NOW = datetime.now(UTC)
RUN = "20260104T030405Z-00000004"
SALT, OTHER_SALT = Salt(secret=b"s" * 32), Salt(secret=b"o" * 32)
KEYED = DigestSet(hmac_sha256=Digest.of(b"a keyed claim"))
DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


def commit(centers: TwoCenters, *, host: str = platform.node(), **changes: Any) -> MadeUpRun:
    """Let Asia commit to a run, of which only what is in its store is left.

    With `secret` it is of a private release, whose salt that is.

    Europe's witness saw the commitment two days ago, and sees it now.
    """
    center, store = centers.center("asia"), DirectoryStore(centers.root / "asia/store")
    run = MadeUpRun(
        **{
            "center": "asia",
            "builder": center.builder_id,
            "release": str(RELEASE),
            "run": RUN,
            "files": FILES,
            "by_products": PRODUCTS,
            "scope": DigestSet(sha256=SCOPE),
            **changes,
        }
    )
    lines = tuple(run.line(name) for name in sorted(run.outputs))
    made, seal = run.commitment(), Seal(digest=run.seal(), files=lines)
    kept = KeptSeal(claim=made.claim, seal=seal, host=host, private=bool(run.secret))
    store.put_record(private_twin(f"{run.folder()}seal.json"), kept.model_dump_json().encode())
    centers.session("asia").logbook().commit(
        release=made.release, run=made.run, claim=made.claim, seal=made.seal
    )
    europe = own_witness(centers.center("europe"), DirectoryStore(centers.root / "europe/store"))
    earlier = replace(europe, clock=lambda: NOW - timedelta(days=2))
    earlier.cosign(store, LogIdentity.of(log_key(center)))
    return run


def joined(centers: TwoCenters, by: str = "asia") -> ReleaseConsensus:
    return join_release(centers.session(by).consensus_view(NOW), RELEASE).consensus


def publish(centers: TwoCenters) -> tuple[str, ...]:
    session = centers.session("asia")
    view = session.consensus_view(NOW)
    found = publish_lost(session, [joined(centers)], read_logs(view, [RELEASE]))
    centers.witness()
    return found


def check(centers: TwoCenters) -> Any:
    file = centers.root / FILE
    file.write_bytes(CONTENT)
    return samebits(
        "check", file, "--json", "--center", centers.file("europe"), home=centers.root / "home"
    ).document()


@pytest.mark.parametrize(
    ("files", "matches", "exit_code"), [(FILES, True, 2), (DIFFERENT, False, 1)]
)
def test_who_holds_the_file_learns_whether_the_lost_run_had_built_it(
    centers: TwoCenters, files: dict[str, MadeUpFile], matches: bool, exit_code: int
) -> None:
    centers.publish("europe")
    run = commit(centers, files=files)
    centers.witness()
    assert ("asia", "abandoned") in reasons(joined(centers))
    assert publish(centers) == (f"{run.folder()}seal-1.dsse.json",)
    assert publish(centers) == (), "once is enough"
    found = joined(centers)
    assert ("asia", "outputs-lost") in reasons(found)
    assert not [e for e in found.excluded if e.reason in OF_EXCLUSIONS]
    told = check(centers)
    assert [(s["center"], s["run"], s["matches"]) for s in told["sealed"]] == [
        ("asia", RUN, matches)
    ]
    assert told["exit_code"] == exit_code


def test_of_a_private_release_that_takes_the_salt_and_the_lines_name_nothing(
    centers: TwoCenters,
) -> None:
    for name in ("asia", "europe"):
        keep_salt(DirectoryStore(centers.root / name / "store"), RELEASE, SALT)
    centers.publish("europe", claim=KEYED)
    run = commit(centers, claim=KEYED, secret=SALT.secret)
    centers.witness()
    (record,) = publish(centers)
    assert ("asia", "outputs-lost") in reasons(joined(centers))
    payload = Envelope.from_bytes((centers.root / "asia/store" / record).read_bytes()).payload
    assert not [name for name in run.outputs if name.encode() in payload]
    told = check(centers)
    assert ([one["matches"] for one in told["sealed"]], told["exit_code"]) == ([True], 2)


@pytest.mark.parametrize(
    ("files", "salt", "told"),
    [
        (FILES, SALT, True),
        (DIFFERENT, SALT, False),
        (FILES, OTHER_SALT, False),
        (FILES, None, None),
    ],
)
def test_a_private_line_says_something_only_to_who_has_its_salt(
    files: dict[str, MadeUpFile], salt: Salt | None, told: bool | None
) -> None:
    """To who has none the run is dissent, as one that publishes nothing."""
    world = World("ada", "bob")
    world["ada-1"].run(claim=KEYED)
    bob = world["bob-1"]
    made = bob.made(files=files, claim=KEYED, secret=SALT.secret)
    bob.commit(made)
    bob.lose(made)
    bob.overdue = len(bob.log)
    if salt:
        keep_salt(world["ada-1"].store, RELEASE, salt)
    read = world.read()
    (dissent,) = read.dissents
    assert read.held.has_line(dissent, FILE, Digest.of(CONTENT)) is told
    assert bool(world.consensus().artefacts[0].dissenting) is (told is not True)


def test_the_lines_of_a_run_that_can_still_be_completed_are_not_published(
    centers: TwoCenters,
) -> None:
    centers.publish("europe")
    commit(centers)
    folder = Path(centers.center("asia").runs / RUN)
    folder.mkdir(parents=True)
    assert publish(centers) == ()
    folder.rmdir()
    assert publish(centers) != ()


def test_another_machine_may_complete_its_run_until_it_is_abandoned(centers: TwoCenters) -> None:
    centers.publish("europe")
    commit(centers, host="another")
    assert ("asia", "open") in reasons(joined(centers))
    assert publish(centers) == ()
    assert ("asia", "abandoned") in reasons(joined(centers))
    assert publish(centers) != ()

"""Many releases are built by two processes, and the site is what one would have built."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator

import pytest
from filelock import FileLock

from builders.core.errors import StoreError
from pipelines.audit.log_index import LogIndex
from pipelines.audit.source import Source
from pipelines.portal import release_workers
from pipelines.portal.release_builder import BuiltRelease, DueRelease, ReleaseBuilder
from pipelines.portal.release_workers import OtherProcess, other_process, read_logs_of_all
from pipelines.portal.site_file import KeptPath, SiteFile
from pipelines.portal.site_folder import SiteFolder
from pipelines.portal.site_writer import SiteWriter, files_in
from tests.consensus.two_centers import TEXT
from tests.portal.built_portal import NOW, BuiltPortal

VERSIONS = ("1.1", "1.2", "1.3")


@pytest.mark.parametrize("threads", [1, 2], ids=["fork", "spawn"])
def test_two_processes_build_what_one_does(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    folder = portal.centers.root / "recipes/releases/acme/tool"
    for version in VERSIONS:
        (folder / f"{version}.yaml").write_text(TEXT.replace('"1.0"', f'"{version}"'))
        for name in ("europe", "asia"):
            run = f"20260102T030405Z-0a1b2c{version[-1]}d"
            portal.centers.publish(name, release=f"acme/tool@{version}", run=run)
    portal.build()
    alone = portal.files()
    for limit in ("KNOWN", "MANY", "_LARGEST"):
        monkeypatch.setattr(release_workers, limit, 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    written, make = [], SiteWriter.make

    def noted(writer: SiteWriter, files: Iterable[SiteFile | KeptPath], before: str = "") -> str:
        written.append(made := make(writer, files, before))
        return made

    monkeypatch.setattr(SiteWriter, "make", noted)
    for anew in (True, False):
        assert portal.build(anew=anew).made == 1 + len(VERSIONS)
        assert portal.files() == alone
    here = {path for path in files_in(*written) if path.startswith("releases/")}
    assert here < {path for path in alone if path.startswith("releases/")}, "some are made there"


def test_releases_are_built_in_the_order_of_the_log(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then leaves that stand beside each other are read once."""
    folder = portal.centers.root / "recipes/releases/acme/tool"
    for version in ("3.0", "1.1", "2.0"):
        (folder / f"{version}.yaml").write_text(TEXT.replace('"1.0"', f'"{version}"'))
        run = f"20260102T030405Z-0a1b2c{version[0]}d"
        portal.centers.publish("europe", release=f"acme/tool@{version}", run=run)
    built, build = [], ReleaseBuilder.build

    def noted(builder: ReleaseBuilder, due: Iterable[DueRelease]) -> Iterator[BuiltRelease]:
        for one in build(builder, due):
            built.append(one.release)
            yield one

    monkeypatch.setattr(ReleaseBuilder, "build", noted)
    portal.build()
    assert built == [f"acme/tool@{version}" for version in ("1.0", "3.0", "1.1", "2.0")]


def test_two_parts_that_write_one_file_end_the_build(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.build()
    there = portal.files()
    path = next(path for path in there if path.startswith("releases/"))
    monkeypatch.setattr(
        "pipelines.portal.build.COMMON_PARTS", (lambda _: [SiteFile(path, b"another")],)
    )
    with pytest.raises(LookupError, match=f"two parts of the portal write {path}"):
        portal.build(anew=True)
    assert portal.files() == there


def test_the_other_process_reads_no_log_before_it_is_told_to(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then this process has read them: two that read a log at once overtake each other."""
    center = portal.centers.center("europe")
    other = OtherProcess(center=center, now=NOW, number=1, folder=portal.out, current=portal.out)
    read: list[str] = []
    monkeypatch.setattr(LogIndex, "read_ahead", lambda _: read.append("logs"))
    monkeypatch.setattr(release_workers, "_die_with_parent", lambda: None)
    release_workers._begin(other)
    assert not read
    release_workers._get_ready()
    assert release_workers._build([], None) == []
    assert read == ["logs"]


def test_each_log_is_read_by_one_of_the_processes_and_known_to_both(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.publish()
    center = portal.centers.center("europe")
    shutil.rmtree(center.home / "cache")
    monkeypatch.setattr(release_workers, "KNOWN", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    other = OtherProcess(center=center, now=NOW, number=1, folder=portal.out, current=portal.out)
    read, begin = [], LogIndex.read_ahead

    def noted(logs: LogIndex) -> None:
        begin(logs)
        read.append([*logs._logs])

    monkeypatch.setattr(LogIndex, "read_ahead", noted)
    with other_process(other, 1) as pool, portal.centers.session("europe") as session:
        view = session.consensus_view(NOW)
        read_logs_of_all(view, pool)
    assert read == [["europe"]]
    for one in view.policy.policy.centers:
        assert len(view.kept.of(one.log.key)) > 0, one.id


def test_only_for_a_first_portal_this_process_leaves_logs_to_the_other(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.publish()
    monkeypatch.setattr(release_workers, "KNOWN", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    read, begin = [], LogIndex.read_ahead

    def noted(logs: LogIndex) -> None:
        read.append({*logs._sources})
        begin(logs)

    monkeypatch.setattr(LogIndex, "read_ahead", noted)
    portal.build()
    assert read[:2] == [{"europe"}, {"europe", "asia"}]
    read.clear()
    portal.build()
    assert read[0] == {"europe", "asia"}


def test_the_other_process_reads_logs_within_budgets_of_their_own(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer whose log uses one up has all of another for its releases."""
    center = portal.centers.center("europe")
    other = OtherProcess(center=center, now=NOW, number=1, folder=portal.out, current=portal.out)
    monkeypatch.setattr(release_workers, "_die_with_parent", lambda: None)
    release_workers._begin(other)
    used: list[Source] = []
    monkeypatch.setattr(LogIndex, "read_ahead", lambda logs: used.extend(logs._witnesses))
    release_workers._read_logs(["asia"])
    assert used
    assert not {*map(id, used)} & {*map(id, release_workers._Begun.view.sources)}


def test_without_another_process_no_log_is_read_ahead(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LogIndex, "read_ahead", lambda _: pytest.fail("a log is read"))
    with portal.centers.session("europe") as session:
        read_logs_of_all(session.consensus_view(NOW), None)


def test_why_the_other_process_cannot_read_the_logs_is_told(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    center = portal.centers.center("europe")
    other = OtherProcess(center=center, now=NOW, number=1, folder=portal.out, current=portal.out)

    def fails(_: object) -> None:
        raise StoreError("the logs cannot be read")

    monkeypatch.setattr(LogIndex, "read_ahead", fails)
    monkeypatch.setattr(release_workers, "_die_with_parent", lambda: None)
    release_workers._begin(other)
    for step in (release_workers._get_ready, lambda: release_workers._build([], None)):
        with pytest.raises(StoreError, match="the logs cannot be read"):
            step()


def test_the_other_process_ends_with_one_that_is_killed(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would hold the lock of the folder for as long as it waits for releases."""
    monkeypatch.setattr(release_workers, "KNOWN", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    center = portal.centers.center("europe")
    other = OtherProcess(center=center, now=NOW, number=1, folder=portal.out, current=portal.out)
    site = SiteFolder(portal.out)

    def dies() -> None:
        with site.locked(), other_process(other, 1) as pool:
            assert pool
            pool.submit(int).result()
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=dies)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with FileLock(portal.out / "lock", timeout=60):
        pass

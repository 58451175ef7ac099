"""Many releases are built by two processes, and the site is what one would have built."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from pipelines.audit.log_index import LogIndex
from pipelines.portal import release_workers
from pipelines.portal.release_workers import OtherProcess
from pipelines.portal.site_file import KeptPath, SiteFile
from pipelines.portal.site_writer import SiteWriter, files_in
from tests.consensus.two_centers import TEXT
from tests.portal.built_portal import NOW, BuiltPortal

VERSIONS = ("1.1", "1.2", "1.3")


def test_two_processes_build_what_one_does(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    assert portal.build(anew=True).made == 1 + len(VERSIONS)
    assert portal.files() == alone
    here = {path for path in files_in(*written) if path.startswith("releases/")}
    assert here < {path for path in alone if path.startswith("releases/")}, "some are made there"


def test_the_other_process_reads_no_log_before_it_is_given_releases(
    portal: BuiltPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then this process has read them: two that read a log at once overtake each other."""
    center = portal.centers.center("europe")
    other = OtherProcess(center=center, now=NOW, number=1, folder=portal.out, current=portal.out)
    read: list[str] = []
    monkeypatch.setattr(LogIndex, "read_ahead", lambda _: read.append("logs"))
    release_workers._begin(other)
    assert not read
    assert release_workers._build([]) == []
    assert read == ["logs"]

"""`verify` names the causes that `recipe new` names, from the evidence of the run alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.core.enums import Outcome
from pipelines.center.center import Center
from pipelines.cli.terminal import report_lines
from pipelines.evidence.report import Report
from pipelines.infer import verified
from pipelines.infer.verified import verified_causes
from pipelines.storage.names import Visibility
from pipelines.verify.session import Session
from tests.infer.test_debian_causes import CONTROL, ELF, FILES, TOOLS, deb

NAME = "tool_2.0-1_amd64.deb"
THEIRS = deb(FILES)
OURS = deb({**FILES, "usr/bin/tool": ELF + b"rebuilt"})
RUN = "20260102T030405Z-0a1b2c3d"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(Center(id="local", home=tmp_path, store=tmp_path / "store"))
    session.workdir.mkdir()
    return session


def kept(session: Session, shipped: bytes, rebuilt: bytes, **changes: Any) -> Report:
    """Put both files where a run leaves them, and return its report."""
    path = session.workdir / "shipped"
    path.write_bytes(shipped)
    session.vault.add(path, Digest.of(shipped), what=NAME)
    session.store.put_cas(Visibility.PRIVATE, rebuilt)
    digests = {"theirs": str(Digest.of(shipped)), "ours": str(Digest.of(rebuilt))}
    finding = {
        "name": changes.pop("name", NAME),
        "verdict": "DIFFERENT",
        "reason": "the bytes differ",
        "shipped": {
            "published": digests["theirs"], "sha256": digests["theirs"], "size": len(shipped),
        },
        "rebuilt": {"sha256": digests["ours"], "size": len(rebuilt)},
    }  # fmt: skip
    environment = {"declared": {}, "method": "debian", "image": "none-of-ours"}
    environment |= changes.pop("environment", {})
    report = {
        "vendor": "lab", "product": "tool", "version": "2.0", "center": "local", "run": RUN,
        "outcome": "BUILT", "verdict": "DIFFERENT", "artefacts": [finding],
        "environment": environment, "timings": {},
    } | changes  # fmt: skip
    return Report.model_validate(report)


def test_drift_of_the_toolchain_is_named_with_packages_and_versions(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "_tools", lambda *_: TOOLS)
    report = kept(session, THEIRS, OURS)
    (cause,) = verified_causes(session, report)
    assert cause.name == "toolchain-drift"
    assert f"{NAME}: usr/bin/tool; newer than the release" in cause.detail
    assert "gcc-14-base 14.2.0-19 (2025-04-09)" in cause.detail
    (line,) = (line for line in report_lines(report, [cause]) if "cause" in line)
    assert line == f"  cause toolchain-drift: {cause.detail}"


def test_without_the_packages_of_the_image_the_marks_of_debhelper_remain(
    session: Session,
) -> None:
    newer = {**CONTROL, "triggers": CONTROL["triggers"].replace(b"13.23", b"13.24.2")}
    report = kept(session, THEIRS, deb(FILES, newer))
    (cause,) = verified_causes(session, report)
    assert cause.name == "toolchain-drift"
    assert "dh_makeshlibs of debhelper 13.23 as shipped, 13.24.2 here" in cause.detail


def test_a_build_that_failed_has_its_cause_from_its_log(session: Session) -> None:
    log = b"x" * 70_000 + b"\ndpkg-checkbuilddeps: error: Unmet build dependencies: libfoo-dev\n"
    session.store.put_cas(Visibility.PRIVATE, log)
    rebuild = {"outcome": "BUILD_FAILED", "log": str(Digest.of(log))}
    attempts = [{"number": 1, "purpose": "judged", "rebuild": rebuild}]
    report = kept(
        session,
        THEIRS,
        OURS,
        outcome=Outcome.BUILD_FAILED,
        verdict="NOT_CHECKED",
        attempts=attempts,
    )
    assert [(c.name, c.detail) for c in verified_causes(session, report)] == [
        ("unmet-build-dependency", "libfoo-dev")
    ]


@pytest.mark.parametrize("hostile", [b"", b"!<arch>\n" + bytes(200), THEIRS[:-7]])
def test_files_that_cannot_be_read_are_no_fault(session: Session, hostile: bytes) -> None:
    names = {cause.name for cause in verified_causes(session, kept(session, THEIRS, hostile))}
    assert names <= {"unexplained"}


def test_evidence_that_is_not_there_or_damaged_names_nothing(session: Session) -> None:
    report = kept(session, THEIRS, OURS)
    (stored,) = (session.center.home / "store/private/cas").rglob(str(Digest.of(OURS)))
    stored.chmod(0o600)
    stored.write_bytes(b"other bytes")
    assert verified_causes(session, report) == ()
    stored.unlink()
    assert verified_causes(session, report) == ()


def test_a_wheel_has_the_causes_of_wheels(session: Session, make_zip: Any) -> None:
    folder = "tool-2.0.dist-info"
    files = {
        "tool/__init__.py": b"one = 1\n",
        f"{folder}/METADATA": b"Name: tool\nVersion: 2.0\n",
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nGenerator: flit 3.9.0\n",
        f"{folder}/RECORD": b"",
    }
    sdist = session.workdir / "sdist"
    sdist.write_bytes(source := io.BytesIO(make_zip({"tool-2.0/x.py": b""})).getvalue())
    session.vault.add(sdist, Digest.of(source), what="sdist")
    report = kept(
        session,
        make_zip({**files, "tool/__init__.py": b"one = 1\r\n"}),
        make_zip(files),
        name="tool-2.0-py3-none-any.whl",
        environment={
            "method": "wheel",
            "sources": [{"locator": "pkg:pypi/tool@2.0", "sha256": str(Digest.of(source))}],
        },
    )
    assert [c.name for c in verified_causes(session, report)] == ["line-endings"]


def test_of_a_build_of_the_vendors_own_the_differing_members_and_texts_are_named(
    session: Session,
) -> None:
    built = {"method": "script", "declared": {"path": "/build/own"}}
    shipped, rebuilt = b"\0/var/ci/own/main.c\0", b"\0/build/own/main.c\0"
    report = kept(session, shipped, rebuilt, environment=built)
    causes = {cause.name: cause.detail for cause in verified_causes(session, report)}
    assert causes.keys() == {"content", "path"}
    assert "shipped has '/var/ci/own/main.c', rebuilt has '/build/own/main.c'" in causes["content"]
    assert "built in /var/ci/own; expected a clean absolute path" in causes["path"]
    failed = report.model_copy(update={"outcome": Outcome.BUILD_FAILED, "artefacts": ()})
    assert verified_causes(session, failed) == ()

"""Bundles of real runs: a container, the center's own key, the store on disk, and the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.images.provide import ProvidedImage
from pipelines.bundle import Bundle
from pipelines.bundle.layout import POLICY
from pipelines.center.center import Center
from pipelines.center.file import local_policy_file
from pipelines.evidence.dsse import Envelope
from pipelines.verify.session import Session
from tests.command import Ended, samebits
from tests.lab import verified, write_recipe
from tests.policy.reviews.closed import TEXTS, files, write_private

SHIPPED = b"two\n"


class Ran:
    """A recipe that was verified, and its bundle."""

    def __init__(self, folder: Path, session: Session, script: str, product: str) -> None:
        recipe = write_recipe(
            folder / product,
            [["sh", "-c", script]],
            shipped=SHIPPED,
            by_products=["*.debug"],
        )
        self.report = verified(session, recipe)
        self.home, self.folder = session.center.home, folder / product
        self.artefact = self.folder / "out.bin"
        self.bundle = folder / f"{product}.bundle.tar"
        self.policy = local_policy_file(session.center.home)

    def export(self) -> Ended:
        release = self.report.release
        return samebits("evidence", "export", release, "--out", self.bundle, home=self.home)

    def check(self, *words: str | Path) -> Ended:
        return samebits(
            "evidence", "check", self.bundle, "--policy", self.policy, *words, home=self.home
        )


@pytest.fixture(scope="module")
def same(
    session: Session, build_image: ProvidedImage, tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    script = "echo two > /out/out.bin; echo symbols > /out/out.debug"
    ran = Ran(tmp_path_factory.mktemp("real"), session, script, "same")
    assert ran.export().code == 0
    return ran


def test_a_real_run_is_exported_and_checked(same: Ran) -> None:
    ended = same.check("--file", same.artefact)
    assert ended.code == 0, ended.out
    assert "out.bin is bit for bit as rebuilt" in ended.out
    assert "made again from 2 files" in ended.out


def test_no_path_or_private_evidence_is_in_a_real_bundle(same: Ran) -> None:
    members = Bundle.from_bytes(same.bundle.read_bytes()).members
    assert not [name for name in members if name.startswith("evidence/")]
    for data in members.values():
        assert str(same.home).encode() not in data
        assert str(same.folder).encode() not in data
        assert b"PRIVATE" not in data


def test_the_shipped_file_is_known_by_its_digest(same: Ran) -> None:
    ended = samebits("check", same.artefact, "--json", home=same.home)
    assert ended.code in {0, 1}  # other runs of this session may have judged the same bytes
    runs = {seen["run"]: seen for seen in ended.document()["runs"]}
    assert runs[same.report.run]["verdict"] == "IDENTICAL"


def test_a_real_difference_and_a_real_failure_check_too(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    failing = Ran(tmp_path, session, "exit 3", "failing")
    assert failing.export().code == 0
    ended = failing.check()
    assert (ended.code, "BUILD_FAILED" in ended.out) == (2, True), ended.out
    chance = Ran(tmp_path, session, "cp /proc/sys/kernel/random/uuid /out/out.bin", "chance")
    assert chance.export().code == 0
    ended = chance.check("--file", chance.artefact)
    assert ended.code == 1
    assert "out.bin is DIFFERENT" in ended.out
    assert "wrong" not in ended.out


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("printf shipped > /out/out.bin; cp hydra-4.2.tar /out/x.debug || echo > /out/x.debug", 0),
        ("printf other > /out/out.bin; echo hydra > /out/undeclared", 1),
        ("exit 3", 2),
    ],
)
def test_a_bundle_of_closed_source_checks_and_tells_nothing(
    center: Center,
    session: Session,
    build_image: ProvidedImage,
    tmp_path: Path,
    script: str,
    code: int,
) -> None:
    folder = tmp_path / f"closed{code}"
    recipe = write_private(
        folder, session.vault, [["sh", "-c", script]], by_products=["*.debug"], shipped=b"shipped"
    )
    report = verified(session, recipe)
    out = tmp_path / "closed.bundle.tar"
    done = samebits("evidence", "export", report.release, "--out", out, home=center.home)
    assert done.code == 0, done.err
    policy = local_policy_file(center.home)
    words = ("evidence", "check", out, "--policy", policy, "--file", folder / "out.bin")
    ended = samebits(*words, home=center.home)
    assert ended.code == code, ended.out
    assert "wrong" not in ended.out
    plain = b"".join(payloads(out.read_bytes()))
    assert not [text for text in TEXTS if text.encode() in plain]
    digests = [Digest.of(data) for data in files().values()]
    assert not [digest for digest in digests if str(digest).encode() in plain]


def payloads(data: bytes) -> list[bytes]:
    """Return a bundle, and the payloads of its envelopes."""
    members = Bundle.from_bytes(data).members
    signed = [
        Envelope.from_bytes(d).payload
        for n, d in members.items()
        if n.endswith(".dsse.json") and n != POLICY
    ]
    return [data, *signed]

"""A chain of updates as its user sees it: verified, confirmed, and checked without a network."""

from __future__ import annotations

from pathlib import Path

from builders.images.provide import ProvidedImage
from pipelines.center.center import Center
from pipelines.verify.session import Session
from tests.command import Ended, samebits
from tests.lab import verified
from tests.verify.test_updates import Shipped, bsdiff, full, release


def test_a_chain_of_updates_says_what_it_rests_on(
    center: Center, session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    def run(*words: object) -> Ended:
        return samebits(*map(str, words), home=center.home)

    verified(session, release(tmp_path / "2.0", "2.0"))
    for on, version in (("2.0", "2.1"), ("2.1", "2.2")):
        base = (f"lab/agent@{on}", full(on))
        delta = Shipped(delta=bsdiff(full(version)), base=base, judged="rebuilt")
        ended = run("verify", release(tmp_path / version, version, rebuilt=delta))
        assert ended.code == 0, ended.out
    assert "- chain: 2 updates from lab/agent@2.0 on" in ended.out
    assert "no link is worse than IDENTICAL" in ended.out

    found = run("consensus", "lab/agent@2.2")
    assert found.code == 0, found.out
    rests_on = "rests on lab/agent@2.1, which is CONFIRMED, 2 updates from lab/agent@2.0 on"
    assert rests_on in found.out

    for version in ("2.0", "2.1", "2.2"):
        out = tmp_path / f"{version}.tar"
        assert run("evidence", "export", f"lab/agent@{version}", "--out", out).code == 0
    policy = center.home / "policy" / "policy.dsse.json"
    check = ("evidence", "check", tmp_path / "2.2.tar", "--policy", policy)
    alone = run(*check)
    assert (alone.code, "--base" in alone.out) == (2, True)
    assert run(*check, "--base", tmp_path / "2.0.tar").code == 2
    whole = run(*check, "--base", tmp_path / "2.1.tar")
    assert whole.code == 0, whole.out
    assert "lab/agent@2.1 was judged in run" in whole.out

"""Files that a reader has beside a bundle: what is said of them, and the seal made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.core.enums import Verdict
from pipelines.bundle.check import CheckStatus
from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import Maker, made
from tests.bundle.stories import another_seal
from tests.bundle.test_check import given, statuses, step, verdicts_code, wrong
from tests.signer.conftest import SCENES
from tests.signer.scene import OURS, THEIRS


@pytest.mark.parametrize(
    ("scene", "data", "verdict", "code"),
    [
        ("identical", OURS, Verdict.IDENTICAL, 0),
        ("different", OURS, Verdict.DIFFERENT, 1),
        ("mismatch", OURS, Verdict.SHIPPED_MISMATCH, 1),
        ("failed", OURS, Verdict.NOT_CHECKED, 2),
    ],
)
def test_a_file_gets_the_verdict_on_its_bytes(
    bundle: Maker, tmp_path: Path, scene: str, data: bytes, verdict: Verdict, code: int
) -> None:
    result = bundle(scene).check(given(tmp_path, data))
    assert statuses(result)["files"] is CheckStatus.OK
    assert step(result, "files") == "given.bin is rules.bin"
    (answer,) = result.files
    assert (answer.artefact, answer.verdict) == ("rules.bin", verdict)
    assert result.exit_code == code


@pytest.mark.parametrize("scene", ["identical", "unexpected", "unreachable", "missing"])
def test_a_file_that_no_statement_is_about_is_not_checked(
    bundle: Maker, tmp_path: Path, scene: str
) -> None:
    result = bundle(scene).check(given(tmp_path, b"something else"))
    assert statuses(result)["files"] is CheckStatus.UNCHECKED
    assert result.exit_code == (verdicts_code(bundle(scene)) or 2)
    assert result.files[0].verdict is None


def test_a_file_shipped_under_two_names_gets_the_worse_verdict(
    key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = {"outputs": {"a.bin": OURS, "b.bin": THEIRS}}
    monkeypatch.setitem(SCENES, "two-names", {"shipped": {"a.bin": OURS, "b.bin": OURS}, **built})
    result = made(tmp_path, key, scene="two-names").check(given(tmp_path, OURS))
    (answer,) = result.files
    assert (answer.artefact, answer.verdict) == ("b.bin", Verdict.DIFFERENT)


def test_a_file_served_in_place_of_the_published_one_is_named_so(
    bundle: Maker, tmp_path: Path
) -> None:
    result = bundle("mismatch").check(given(tmp_path, THEIRS))
    assert wrong(result) == "files"
    assert "served as rules.bin" in result.steps[-1].message
    assert f"expected {Digest.of(OURS)}" in result.steps[-1].message


def test_a_file_that_was_only_rebuilt_is_not_the_published_one(
    bundle: Maker, tmp_path: Path
) -> None:
    result = bundle("different").check(given(tmp_path, THEIRS))
    assert wrong(result) == "files"
    assert "rebuilt as rules.bin" in result.steps[-1].message


def test_the_seal_is_made_again_from_the_files(bundle: Maker, tmp_path: Path) -> None:
    files = [given(tmp_path, OURS, "one"), given(tmp_path, b"index", "two")]
    result = bundle("identical").check(*files)
    assert statuses(result)["sealed"] is CheckStatus.OK
    assert result.exit_code == 0


def test_the_seal_is_made_again_where_the_first_artefact_is_missing(
    key: PrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCENES, "first-missing", {"outputs": {"rules.idx": b"index"}})
    altered = made(tmp_path, key, scene="first-missing")
    result = altered.check(given(tmp_path, b"index"))
    assert statuses(result)["sealed"] is CheckStatus.OK
    assert step(result, "sealed").startswith("made again from 1 files")
    assert statuses(altered.check())["sealed"] is CheckStatus.NOTE


def test_a_seal_that_the_files_do_not_give_is_wrong(bundle: Maker, tmp_path: Path) -> None:
    altered = bundle("identical")
    another_seal(altered, altered.key)
    files = [given(tmp_path, OURS, "one"), given(tmp_path, b"index", "two")]
    assert wrong(altered.check(*files)) == "sealed"
    assert altered.check(files[0]).exit_code == 0

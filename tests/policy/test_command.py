"""`samebits policy`, as operators use it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from builders.core.errors import SamebitsError
from pipelines.cli.policy import command
from pipelines.evidence.privatekey import create_key
from pipelines.evidence.statements.statement import show_time
from tests.command import Ended, samebits
from tests.policy.world import draft


class Table:
    """Two operators with their key files, and the policy they write together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("alpha", "beta", "eve"):
            create_key(folder, name)

    def write(self, name: str = "policy.yaml", *, days: int = 365, **fields: object) -> Path:
        soon = show_time(datetime.now(UTC).replace(microsecond=0) + timedelta(days=days, hours=1))
        data = draft(
            version=1,
            expires=soon,
            operators=[{"name": n, "legal": n, "key": f"{n}.pub"} for n in ("alpha", "beta")],
            centers=draft()["centers"][:2],
            consensus={},
        )
        path = self.folder / name
        path.write_text(yaml.safe_dump({**data, **fields}))
        return path

    def sign(self, source: Path, name: str, out: Path, *more: str, key: str | None = None) -> Ended:
        return self.run(
            "sign", source, "--key", self.folder / f"{key or name}.key",
            "--operator", name, "--out", out, *more,
        )  # fmt: skip

    def signed(self, source: Path, name: str) -> Path:
        out = self.folder / name
        for operator in ("alpha", "beta"):
            assert self.sign(source, operator, out).code == 0
        return out

    def run(self, *words: str | Path) -> Ended:
        done = CliRunner().invoke(command, [str(word) for word in words])
        code, err = done.exit_code, done.stderr
        if isinstance(done.exception, SamebitsError):  # as the entry point tells it
            code, err = done.exception.exit_code, f"samebits: {done.exception}"
        return Ended(code=code, out=done.stdout, err=err)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


def test_operators_sign_one_after_the_other_and_then_it_counts(table: Table) -> None:
    source, out = table.write(), table.folder / "policy.dsse.json"
    first = table.sign(source, "alpha", out)
    assert (first.code, "1 of 2 needed" in first.out) == (0, True)
    early = table.run("check", out)
    assert early.code == 1
    early.assert_clear()
    assert "not signed by enough of its operators" in early.err
    shown = table.sign(source, "beta", out, "--json").document()
    assert shown["signed_by"] == ["alpha", "beta"]
    checked = table.run("check", out, "--json")
    assert checked.code == 0
    assert checked.document()["sha256"] == shown["sha256"]
    assert checked.document()["warnings"] == []


def test_what_expires_soon_is_told_with_the_days_left(table: Table) -> None:
    out = table.signed(table.write(days=20), "policy.dsse.json")
    ended = table.run("check", out)
    assert ended.code == 0
    assert "in 20 days" in ended.out
    assert "expires in 20 days" in ended.err


def test_a_file_with_another_policy_is_left_alone(table: Table) -> None:
    out = table.signed(table.write(), "policy.dsse.json")
    before = out.read_bytes()
    ended = table.sign(table.write(version=2), "alpha", out)
    assert ended.code == 1
    assert "the file holds another policy" in ended.err
    assert out.read_bytes() == before


def test_a_step_is_checked_against_the_policy_before(table: Table) -> None:
    old = table.signed(table.write(), "old.json")
    new = table.signed(table.write("new.yaml", version=2), "new.json")
    step = table.run("check", new, "--trusted", old)
    assert (step.code, "follows     version 1" in step.out) == (0, True)
    back = samebits("policy", "check", old, "--trusted", new, "--json", home=table.folder / "home")
    assert back.code == 1
    back.assert_clear()
    assert back.document()["error"]["fault"] == "rollback"


def test_a_trusted_policy_that_nobody_signed_is_not_trusted(table: Table) -> None:
    source = table.write()
    table.sign(source, "alpha", table.folder / "half.json")
    new = table.signed(table.write("new.yaml", version=2), "new.json")
    ended = table.run("check", new, "--trusted", table.folder / "half.json")
    assert (ended.code, "not signed by enough" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("name", "key", "says", "code"),
    [
        ("alpha", "eve", "not that of operator alpha", 1),
        ("eve", "eve", "no such operator", 1),
        ("alpha", "nobody", "cannot be used", 64),
    ],
)
def test_a_wrong_key_signs_nothing(table: Table, name: str, key: str, says: str, code: int) -> None:
    out = table.folder / "policy.dsse.json"
    ended = table.sign(table.write(), name, out, key=key)
    assert (ended.code, says in ended.err) == (code, True)
    ended.assert_clear()
    assert not out.exists()


def test_an_expired_policy_is_not_signed(table: Table) -> None:
    ended = table.sign(table.write(days=-2), "alpha", table.folder / "policy.dsse.json")
    assert (ended.code, "the policy has expired" in ended.err) == (1, True)


def test_what_changes_is_said_in_words(table: Table) -> None:
    old = table.signed(table.write(), "old.json")
    fewer = draft()["reviewers"][:1]
    new = table.write(
        "new.yaml",
        version=2,
        threshold=1,
        reviewers=fewer,
        reviews={"minimum": 1},
        witnesses=draft()["witnesses"].replace("quorum others", "quorum asia"),
    )
    told = table.run("diff", old, new).out
    for line in (
        "version: 1 becomes 2",
        "threshold: 2 becomes 1",
        "quorum: others becomes asia",
        "reviews of ruleset: minimum: removed, was 2",
    ):
        assert line in told.splitlines()
    assert "reviewer bob: key " in told
    changes = table.run("diff", old, new, "--json").document()["changes"]
    assert {"part": "version", "before": "1", "after": "2"} in changes
    assert table.run("diff", old, old).out == "the policies are equal\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [(["check", "nowhere"], 64), (["diff", "a", "b"], 64), (["sign", "a.yaml"], 2), (["check"], 2)],
)
def test_wrong_words_are_usage_errors(table: Table, words: list[str], code: int) -> None:
    ended = table.run(*words)
    assert ended.code == code, "2 is click's own, which the entry point makes 64"
    assert "Traceback" not in ended.err


def test_yaml_is_not_a_signed_policy(table: Table) -> None:
    ended = table.run("check", table.write())
    assert (ended.code, "samebits policy sign" in ended.err) == (1, True)

"""`samebits rules test`: what engines catch with two rule sets, in a container that is faked."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from builders.container.spec import ContainerResult, EndReason
from builders.core.errors import SamebitsError
from builders.rebuild.tool_container import ToolResult
from pipelines.cli.main import samebits
from pipelines.verify import rule_engines
from pipelines.verify.session import Session

EVIL = {"evil": "match"}
HOSTILE = {"\x1b[2Jevil": "match"}
Answer = Callable[[dict[str, list[str]]], Any]


class Container:
    """Stands in for the container: keeps what it is given, and answers as the driver does."""

    def __init__(self, answer: Answer, code: int = 0) -> None:
        self.answer, self.code = answer, code
        self.seen: dict[str, list[str]] = {}

    def __call__(
        self, argv: Sequence[str], *, inputs: Mapping[str, Path], outputs: Path, **_: object
    ) -> ToolResult:
        assert argv[:2] == ("/usr/bin/python3", "-I")
        for name, path in inputs.items():
            if name.endswith(".tar") and path.exists():
                with tarfile.open(path) as tar:
                    self.seen[name] = tar.getnames()
        (outputs / "result.json").write_text(json.dumps(self.answer(self.seen)))
        end = ContainerResult(
            ended=EndReason.EXITED, exit_code=self.code, signal=None, oom_killed=False,
            pids_limit_hit=False, scratch_full=False, peak_memory=None, wall_seconds=1,
            log_truncated=False,
        )  # fmt: skip
        return ToolResult(container=end, outputs=("result.json",), log=b"\x1b[2Jno memory")


@contextmanager
def share(**_: object) -> Iterator[None]:
    yield


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Container], tuple[int, Any, str]]:
    """Run the command on two folders of rules and two samples; return code, JSON and text."""
    for side in ("old", "new"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "evil.yar").write_text("rule evil { condition: true }\n")
    (tmp_path / "samples" / "deep").mkdir(parents=True)
    (tmp_path / "samples" / "deep" / "one.bin").write_bytes(b"one")
    (tmp_path / "samples" / "two.bin").write_bytes(b"two")
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        rule_engines, "ensure_image", lambda *_, **__: SimpleNamespace(reference="")
    )
    monkeypatch.setattr(Session, "engine", None)
    monkeypatch.setattr(Session, "images", None)
    monkeypatch.setattr(Session, "budget", SimpleNamespace(share=share))
    words = ["rules", "test", *(str(tmp_path / name) for name in ("old", "new", "samples"))]

    def command(container: Container, *, jailed: bool = False) -> tuple[int, Any, str]:
        monkeypatch.setattr(rule_engines, "run_in_container", container)
        if not jailed:
            monkeypatch.setattr(rule_engines, "_pack_rules", lambda *_: None)
        done = CliRunner().invoke(samebits, [*words, "--json"])
        if isinstance(done.exception, SamebitsError):
            raise done.exception
        shown = None if jailed else CliRunner().invoke(samebits, words).stdout
        return done.exit_code, json.loads(done.stdout), shown or ""

    return command


def yara(old: Any, new: Any) -> dict[str, Any]:
    samples = ["sample-00000", "sample-00001"]
    sides = {"old": {"caught": old, "faults": []}, "new": {"caught": new, "faults": []}}
    return {"yara": {"status": "run", "version": "4.5.2", "samples": samples, **sides}}


def test_a_sample_that_is_missed_now_is_named(run: Callable[..., Any]) -> None:
    both = {"sample-00000": EVIL, "sample-00001": EVIL}
    container = Container(lambda _: yara(both, {"sample-00001": EVIL}))
    code, document, _ = run(container, jailed=True)
    assert code == 1
    assert container.seen["samples.tar"] == ["sample-00000", "sample-00001"]
    assert container.seen["old.tar"] == container.seen["new.tar"] == ["evil.yar"]
    [engine] = document["engines"]
    assert (engine["caught_before"], engine["caught_after"]) == (2, 1)
    expected = {"sample": "deep/one.bin", "outcome": "missed", "gone": ["evil"], "come": []}
    assert engine["changes"] == [expected]


def test_less_than_blocking_is_less(run: Callable[..., Any]) -> None:
    old, new = {"sample-00000": {"1:1": "blocked"}}, {"sample-00000": {"1:1": "alert"}}
    code, document, shown = run(Container(lambda _: yara(old, new)))
    assert code == 1
    assert document["engines"][0]["changes"][0]["outcome"] == "passed"
    assert "1 sample caught before is not now" in shown


def test_more_and_other_rules_are_no_loss(run: Callable[..., Any]) -> None:
    old, new = {"sample-00000": EVIL}, {"sample-00000": HOSTILE, "sample-00001": EVIL}
    code, document, shown = run(Container(lambda _: yara(old, new)))
    assert code == 0
    outcomes = [change["outcome"] for change in document["engines"][0]["changes"]]
    assert outcomes == ["caught", "other-rules"]
    assert "\x1b" not in shown


def test_what_did_not_run_is_said(run: Callable[..., Any]) -> None:
    answer = {**yara({}, {}), "clamav": {"status": "not-installed"}}
    code, document, shown = run(Container(lambda _: answer))
    assert (code, document["complete"]) == (2, False)
    assert "clamav: not run" in shown
    code, document, shown = run(Container(lambda _: {"yara": {"status": "no-rules"}}))
    assert (code, document["complete"]) == (2, False)
    assert "no rules that an engine here reads" in shown


def test_rules_that_an_engine_refuses_are_said(run: Callable[..., Any]) -> None:
    answer = yara({}, {})
    answer["yara"]["new"] = {"caught": {}, "faults": ["evil.yar: syntax error"]}
    code, _, shown = run(Container(lambda _: answer))
    assert code == 2
    assert "refused in new: evil.yar: syntax error" in shown


@pytest.mark.parametrize("answer", [{}, {"yara": {"status": "maybe"}}, [], {"yara": {"x": 1}}])
def test_an_answer_that_is_none_is_an_error(run: Callable[..., Any], answer: Any) -> None:
    if answer == {}:
        code, _, _ = run(Container(lambda _: answer))
        assert code == 2
        return
    with pytest.raises(SamebitsError, match="cannot be read"):
        run(Container(lambda _: answer))


def test_a_driver_that_fails_is_an_error(run: Callable[..., Any]) -> None:
    with pytest.raises(SamebitsError, match="did not run to their end"):
        run(Container(lambda _: {}, code=1))

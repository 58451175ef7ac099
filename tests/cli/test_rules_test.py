"""`samebits rules test`: what engines catch with two rule sets, in a container that is faked."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from builders.container.spec import ContainerResult, EndReason
from builders.core.digest import Digest, digest_file
from builders.core.errors import SamebitsError
from builders.jail.file_reader import Nothing
from builders.rebuild.tool_container import ToolResult
from pipelines.cli import rule_sides
from pipelines.cli.main import samebits
from pipelines.rules.engines.packed_rules import PACK_SAMPLES
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


SAMPLED = """\
schema: samebits/recipe/v1
vendor: acme
product: rules
version: "2"
kind: ruleset
platform: linux/amd64
build: {{method: script, image: base, script: file:build.sh}}
inputs: [{{role: source, locator: "file:evil.yar", sha256: {rules}}}]
artefacts: [{{name: evil.yar, shipped: {{locator: "file:evil.yar", sha256: {rules}}}}}]
samples: {{locator: "file:samples.tar", sha256: {samples}}}
"""


def packed(files: Mapping[str, bytes]) -> bytes:
    with io.BytesIO() as out:
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        return out.getvalue()


def sampled(folder: Path, samples: bytes) -> tuple[str, ...]:
    """Write the recipe of acme/rules@2 with such samples; return the words of the command."""
    of_rules = folder / "releases" / "acme" / "rules"
    of_rules.mkdir(parents=True)
    (of_rules / "evil.yar").write_bytes(b"rule evil { condition: true }")
    (of_rules / "samples.tar").write_bytes(samples)
    (of_rules / "build.sh").write_text("true")
    digests = {"rules": digest_file(of_rules / "evil.yar"), "samples": Digest.of(samples)}
    (of_rules / "2.yaml").write_text(SAMPLED.format(**digests))
    return ("rules", "test", str(of_rules / "evil.yar"), "acme/rules@2", "--json")


def test_samples_are_those_that_the_recipe_of_the_new_release_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setattr(rule_sides, "shipped_files", lambda *_: nullcontext([]))
    container = Container(lambda _: yara({"sample-00000": EVIL, "sample-00001": EVIL}, {}))
    run(container)  # puts the container in its place
    files = {"deep/one.bin": b"one", "archive.tar": packed({"in.bin": b"in"})}
    done = CliRunner().invoke(samebits, sampled(tmp_path / "recipes", packed(files)))
    assert done.exit_code == 1, done.output
    assert container.seen["samples.tar"] == ["sample-00000", "sample-00001"]
    changes = json.loads(done.stdout)["engines"][0]["changes"]
    assert [one["sample"] for one in changes] == ["archive.tar", "deep/one.bin"]


@pytest.mark.parametrize("wrap", [bytes, partial(gzip.compress, mtime=0)], ids=["tar", "tar.gz"])
def test_archives_among_samples_stay_as_they_are(wrap: Callable[[bytes], bytes]) -> None:
    inner = packed({"in.bin": b"in"})
    database = b"ClamAV-VDB:".ljust(512) + inner
    files = {"a.tar": inner, "b.tar.gz": gzip.compress(inner), "c.cvd": database, "d/e.bin": b"e"}
    out = io.BytesIO()
    found = PACK_SAMPLES.read([io.BytesIO(wrap(packed(files))), out], Nothing(), TemporaryFile)
    assert found.paths == tuple(files)
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        contents = [stream.read() for name in tar.getnames() if (stream := tar.extractfile(name))]
    assert contents == list(files.values())


@pytest.mark.parametrize(
    ("samples", "message"),
    [(packed({}), "cannot be used"), (b"no archive", "cannot be used")],
    ids=["empty", "no-archive"],
)
def test_samples_that_are_none_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: bytes, message: str
) -> None:
    monkeypatch.setenv("SAMEBITS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SAMEBITS_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.setattr(rule_sides, "shipped_files", lambda *_: nullcontext([]))
    monkeypatch.setattr(rule_engines, "_pack_rules", lambda *_: None)
    done = CliRunner().invoke(samebits, sampled(tmp_path / "recipes", samples))
    assert isinstance(done.exception, SamebitsError)
    assert message in str(done.exception)


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

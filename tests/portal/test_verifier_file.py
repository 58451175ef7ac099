"""The verifier as one file: the same bytes wherever it is made, and it loads nothing else."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.portal.verifier_file import main_script, verifier_file, worker_script
from tests.command import samebits

_ELEMENT = re.compile(r"<(script|style)((?: [a-z]+=\"[^\"]*\")*)>(.*?)</\1>", re.DOTALL)


def source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_it_is_the_same_file_wherever_it_is_made(tmp_path: Path) -> None:
    made = []
    for number, zone in enumerate(("UTC", "Pacific/Kiritimati")):
        env = {"PYTHONHASHSEED": str(number + 1), "TZ": zone, "LC_ALL": "C"}
        out = tmp_path / f"{number}.html"
        words = ("portal", "verifier", "--out", out, "--json")
        done = samebits(*words, home=tmp_path / str(number), env=env, fresh=True)
        assert done.code == 0, done.err
        made.append(out.read_bytes())
        assert done.document()["sha256"] == str(Digest.of(made[-1]))
    assert made[0] == made[1] == verifier_file()
    again = samebits("portal", "verifier", "--out", tmp_path / "0.html", home=tmp_path)
    assert again.code == 64
    again.assert_clear()


@pytest.mark.parametrize("language", ["en", "de"])
def test_only_its_own_script_runs_and_nothing_is_loaded(language: str) -> None:
    page = verifier_file(language).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    policy = unescape(policy)
    found = [(kind, text) for kind, attributes, text in _ELEMENT.findall(page) if not attributes]
    assert [text for kind, text in found if kind == "script"] == [main_script()]
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == source(main_script())
    (style,) = (text for kind, text in found if kind == "style")
    assert directives["style-src"] == f"{source(style)} file:"
    assert worker_script() in page
    markup = _ELEMENT.sub("", page)
    assert re.findall(r"\b(?:src|href|action)=\"(?!data:)", markup) == []
    assert f'lang="{language}"' in page


def test_a_script_that_ends_its_element_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "pipelines.portal.verifier_file.main_script", lambda: "const text = '</SCRIPT>';"
    )
    verifier_file.cache_clear()
    with pytest.raises(ValueError, match="cannot be part"):
        verifier_file()

"""Debian's Firefox, which a program beside the libraries of Mozilla's driver runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.command import wait_until

PROGRAM = Path(sys.prefix) / "judges/bin/python", Path(__file__).with_name("firefox_program.py")
TAB, ENTER = "\ue004", "\ue007"
"""Keys, as WebDriver names them."""
_SHOWN = """
    const found = document.querySelector(arguments[0]);
    return found?.checkVisibility() ? found.innerText.trim() : null;
"""


@dataclass
class Firefox:
    """Opens pages in one window, and tells what they did that none may do."""

    process: subprocess.Popen[str]
    allowed: list[str] = field(default_factory=list)
    """What a test expects: a fault that contains one of these texts is none."""
    requests: list[str] = field(default_factory=list)
    """The addresses that were asked for, in order, as far as `look` has seen them."""
    _faults: list[str] = field(default_factory=list)
    _opened: list[str] = field(default_factory=list)

    def open(self, url: str, *, width: int = 1280) -> None:
        """Open a page that is so many pixels wide."""
        self._opened.append(url)
        self._do("width", width)
        self._do("open", url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, and return what it returns."""
        return self._do("run", script, *arguments)

    def text(self, selector: str, having: str = "") -> str:
        """Return the text of an element, once it is shown and has `having` in it."""
        texts: list[str] = []

        def is_there() -> bool:
            text = self.run(_SHOWN, selector)
            texts.append(text or "")
            return text is not None and having in text

        wait_until(is_there)
        return texts[-1]

    def choose(self, selector: str, *paths: Path) -> None:
        """Choose files."""
        self._do("choose", selector, *map(str, paths))

    def type(self, selector: str, keys: str) -> None:
        """Press keys in a field."""
        self.run("document.querySelector(arguments[0]).focus()", selector)
        self.press(keys)

    def press(self, keys: str) -> None:
        """Press keys, one after the other, in a page whose scripts have begun."""
        wait_until(lambda: bool(self.run("return document.readyState === 'complete'")))
        self._do("press", keys)

    def look(self) -> list[str]:
        """Return what was wrong since the last `forget`."""
        seen = self._do("seen")
        self.requests += seen["requests"]
        own = {urlsplit(url)[:2] for url in self._opened}
        self._faults += seen["faults"]
        others = [url for url in seen["requests"] if urlsplit(url)[:2] not in own]
        self._faults += [f"asks another origin: {url}" for url in others]
        return [one for one in self._faults if not any(text in one for text in self.allowed)]

    def forget(self) -> None:
        """Forget what was seen, and what was allowed, for the next test."""
        for noted in (self.allowed, self.requests, self._faults, self._opened):
            noted.clear()

    def _do(self, *command: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer["value"]


@contextmanager
def running_firefox(folder: Path) -> Iterator[Firefox]:
    """Start Firefox with a new profile in a folder, and stop it at the end."""
    with subprocess.Popen(
        [*PROGRAM, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    ) as process:
        yield Firefox(process)
    assert process.returncode == 0

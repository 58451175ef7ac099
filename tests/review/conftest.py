"""The review pages of a desk, as a browser that has the token gets them, and a terminal beside it.

Both are in this process, and read archives without a jail.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from builders.core.errors import SamebitsError
from pipelines.center.center import load_center
from pipelines.cli.main import samebits
from pipelines.review.access import Access, Secrets
from pipelines.review.reading_room import ReadingRoom
from pipelines.review.review_pages import ReviewPages
from pipelines.verify.session import Session
from tests.command import Ended
from tests.desk import Desk
from tests.fakes.jail import OpenJail
from tests.review.asgi_client import AsgiClient

HOST = "127.0.0.1:8123"
ORIGIN = f"http://{HOST}"


class Browser:
    """Reads the pages of a desk as ada."""

    def __init__(self, desk: Desk, held: ExitStack) -> None:
        self.desk, self.secrets = desk, Secrets()
        session = held.enter_context(Session(load_center(desk.center), jail=OpenJail()))
        self.room = held.enter_context(ReadingRoom(session, reviewer="ada", keys=()))
        words = ("--center", str(desk.center))
        pages = ReviewPages(self.room, folder=f"/{self.secrets.folder}", words=words)
        app = Access(pages.application(), host=HOST, known=self.secrets)
        self.client = AsgiClient(app, ORIGIN)

    def enter(self) -> None:
        answer = self.client.get("/", params={"token": self.secrets.token})
        assert answer.status_code == 303

    def get(self, page: str, status: int = 200, /, **query: str) -> str:
        answer = self.client.get(f"/{self.secrets.folder}{page}", params=query)
        assert answer.status_code == status, answer.text
        return answer.text

    def prepare(self, version: str, **form: str) -> str:
        """Send a form, and return the page that shows what was prepared."""
        path = f"/{self.secrets.folder}/release/lab/tool/{version}/prepare"
        answer = self.client.post(path, data=form, headers={"origin": ORIGIN})
        assert answer.status_code == 303, answer.text
        return self.client.get(answer.headers["location"]).text


class Terminal:
    """Types commands of `samebits review` at a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def run(self, *words: str | Path, answer: str = "") -> Ended:
        given = [*map(str, words)]
        if "--center" not in given:
            given += ["--center", str(self.desk.center)]
        done = CliRunner().invoke(samebits, ["review", *given], input=answer)
        code, err = done.exit_code, done.stderr
        if isinstance(done.exception, SamebitsError):
            code, err = done.exception.exit_code, f"{err}samebits: {done.exception}"
        elif done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(code=code, out=done.stdout, err=err)

    def sign(self, word: str, version: str, name: str, *more: str) -> Ended:
        """Sign as somebody whose key is at the desk."""
        recipe, key = self.desk.recipes / f"{version}.yaml", self.desk.folder / f"{name}.key"
        return self.run(word, recipe, "--key", key, "--reviewer", name, "--yes", *more)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.require("ada", "bob")
    return desk


@pytest.fixture
def browser(desk: Desk) -> Iterator[Browser]:
    with ExitStack() as held:
        browser = Browser(desk, held)
        browser.enter()
        yield browser


@pytest.fixture
def terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr("builders.jail.parser_jail.ParserJail", lambda _: OpenJail())
    return Terminal(desk)

"""The review pages: each is made anew for every request, from the store and the unpacked source.

Few pages are made at once, as one reviewer reads. What a form sends is written to a small file for
the terminal, and nothing else is ever changed.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from builders.core.errors import NotFoundError, SamebitsError, UsageError
from builders.recipe.scope import scope_lines
from pipelines.evidence.release_name import ReleaseName
from pipelines.explain.sentences import differences
from pipelines.infer.trial import explanations, head_notes
from pipelines.portal.rendering import environment
from pipelines.portal.translation import ENGLISH, LANGUAGES
from pipelines.review.colors import colored
from pipelines.review.diff_rows import shown_line
from pipelines.review.file_view import ViewKind, file_view
from pipelines.review.prepared import MAX_PREPARED
from pipelines.review.prepared_files import PreparedFiles
from pipelines.review.reading_room import MINE, NOTHING, POLICY, Before, OpenedSource, ReadingRoom
from pipelines.review.release_facts import (
    LastRun,
    discussion_of,
    last_run,
    private_object,
    review_table,
)
from pipelines.review.source_search import search_source
from pipelines.verify.source_diff import SourceChange

_HERE = Path(__file__).parent
_PORTAL = _HERE.parent / "portal" / "assets"
ASSETS = {
    "icon.svg": (_PORTAL, "image/svg+xml"),
    "portal.css": (_PORTAL, "text/css"),
    "portal.js": (_PORTAL, "text/javascript"),
    "review.css": (_HERE / "assets", "text/css"),
    "review.js": (_HERE / "assets", "text/javascript"),
}
"""Where each file is, and its type."""
FRAMED = {
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "frame-ancestors 'none'"
    )
}
"""Of foreign HTML: no scripts, no forms, no origin."""
AT_ONCE = 4
"""Pages about releases that are made at a time; others wait."""
MAX_LISTED = 500
"""Files, releases or pieces of a list on one page."""
LOG_PIECE = 64 << 10
"""Bytes of a build log on one page, which may begin and end within a line."""
_PREFIX = "/release/{vendor}/{product}/{version}"
Page = Callable[[Request, OpenedSource], Response]


class ReviewPages:
    """The pages of one reading room."""

    def __init__(self, room: ReadingRoom, *, folder: str, words: tuple[str, ...]) -> None:
        """Make pages below the path `folder`; `words` name the center on a command line."""
        self._room, self._folder = room, folder
        self._turns = threading.Semaphore(AT_ONCE)
        self._prepared = PreparedFiles(room, words)

    def application(self) -> Starlette:
        """Return the application."""
        named: dict[str, Page] = {
            "": self._release,
            "/file": self._file,
            "/search": self._search,
            "/recipe": self._recipe,
            "/log": self._log,
            "/depth": self._depth,
            "/diffoscope": self._diffoscope,
        }
        routes = [
            Route("/", self._index),
            Route("/assets/{name}", self._asset),
            Route("/prepared/{name}", self._show_prepared),
            *(Route(_PREFIX + path, self._about(page)) for path, page in named.items()),
            Route(f"{_PREFIX}/prepare", self._prepare, methods=["POST"]),
        ]
        handlers: Mapping[Any, Any] = {SamebitsError: self._fault}
        return Starlette(routes=[Mount(self._folder, routes=routes)], exception_handlers=handlers)

    def _about(self, page: Page) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            with self._turns, self._room.reading():
                return page(request, self._room.open(_release_of(request)))

        return answer

    def _html(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        language = _language(request)
        text = (
            _templates(language)
            .get_template(f"{name}.html.j2")
            .render(root=self._folder, reviewer=self._room.reviewer, language=language, **values)
        )
        return Response(text.encode("utf-8", "backslashreplace"), status, media_type="text/html")

    def _of(self, request: Request, name: str, opened: OpenedSource, **values: Any) -> Response:
        """Return a page about a release."""
        release = opened.subject.release
        vendor, product, version = ReleaseName.parse(release).parts
        here = f"{self._folder}/release/{vendor}/{product}/{version}"
        return self._html(request, name, release=release, here=here, opened=opened, **values)

    def _fault(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, SamebitsError):
            raise error
        asked = 400 if request.method == "POST" else 404
        status = asked if isinstance(error, UsageError | NotFoundError) else 502
        return self._html(request, "fault", status, fault=error)

    def _index(self, request: Request) -> Response:
        asked = request.query_params.get("q", "")
        found = self._room.releases(asked)
        return self._html(request, "index", q=asked, releases=found[:MAX_LISTED], found=len(found))

    def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            raise NotFoundError("there is no such file", got=ascii(name)[:80])
        folder, kind = ASSETS[name]
        return Response((folder / name).read_bytes(), media_type=kind)

    def _release(self, request: Request, opened: OpenedSource) -> Response:
        query = request.query_params
        room, now = self._room, datetime.now(UTC)
        store, policy = room.session.store, room.policy()
        before = room.before(opened, query.get("base"))
        changes, asked = room.changes(opened, before), query.get("q", "")
        listed = [c for c in changes if asked in c.path or asked in (c.was or "")]
        start = _number(query, "start", 0)
        subject = opened.subject
        return self._of(
            request,
            "release",
            opened,
            before=before,
            bases=self._bases(opened, before),
            counts=Counter(change.kind for change in changes),
            changes=listed[start : start + MAX_LISTED],
            start=start,
            step=MAX_LISTED,
            found=len(listed),
            q=asked,
            table=review_table(subject, store, policy, now),
            discussion=discussion_of(subject, store, policy, now) if policy else None,
            run=last_run(store, subject.release, room.session.center.id),
            scope=scope_lines(opened.loaded.recipe),
            draft=bool(head_notes(opened.text)),
        )

    def _bases(self, opened: OpenedSource, before: Before) -> list[tuple[str, str]]:
        """Return what can be compared with, as values of the query and in words."""
        vendor, product, version = ReleaseName.parse(opened.subject.release).parts
        others = [r for r in self._room.releases(f"{vendor}/{product}@") if r.startswith(vendor)]
        bases = {
            MINE: "what I approved last",
            POLICY: "what any reviewer approved last",
            NOTHING: "nothing: the whole source",
            **{r: r for r in others if r != f"{vendor}/{product}@{version}"},
        }
        bases.setdefault(before.which, before.which)
        return list(bases.items())

    def _file(self, request: Request, opened: OpenedSource) -> Response:
        query = request.query_params
        room, path = self._room, query.get("path", "")
        before = room.before(opened, query.get("base"))
        changes = room.changes(opened, before)
        number = next((n for n, change in enumerate(changes) if change.path == path), None)
        asked = query.get("view", "")
        kind = ViewKind(asked) if asked in {*ViewKind} else ViewKind.UNIFIED
        if number is None:
            change, kind = self._unchanged(opened, path), ViewKind.WHOLE
            around: tuple[SourceChange | None, SourceChange | None] = (None, None)
        else:
            change = changes[number]
            around = (
                changes[number - 1] if number else None,
                changes[number + 1] if number + 1 < len(changes) else None,
            )
        view = file_view(change, kind, _number(query, "page", 1), room.session.jail)
        return self._of(
            request,
            "file", opened, view=view, before=before, around=around,
            number=None if number is None else number + 1, of=len(changes),
        )  # fmt: skip

    def _unchanged(self, opened: OpenedSource, path: str) -> SourceChange:
        file = opened.files.get(path)
        if file is None:
            raise NotFoundError(f"no file of {opened.subject.release}", got=ascii(path)[:200])
        return SourceChange(path=path, before=file, after=file)

    def _search(self, request: Request, opened: OpenedSource) -> Response:
        query = request.query_params
        text, everywhere = query.get("q", ""), query.get("in") == "all"
        before = self._room.before(opened, query.get("base"))
        changes = self._room.changes(opened, before)
        files = opened.files.items() if everywhere else [(c.path, c.after) for c in changes]
        answer = search_source([(p, f) for p, f in files if f], text) if text else None
        return self._of(
            request, "search", opened, q=text, everywhere=everywhere, before=before, answer=answer
        )

    def _recipe(self, request: Request, opened: OpenedSource) -> Response:
        lines = [shown_line(line) for line in opened.text.encode().split(b"\n")]
        return self._of(
            request,
            "recipe",
            opened,
            lines=colored(lines, "recipe.yaml", self._room.session.jail),
            notes=head_notes(opened.text),
            inferred=explanations(opened.text),
        )

    def _run(self, opened: OpenedSource) -> LastRun:
        session = self._room.session
        run = last_run(session.store, opened.subject.release, session.center.id)
        if run is None:
            raise NotFoundError(f"{opened.subject.release} has no run here that can be read")
        return run

    def _log(self, request: Request, opened: OpenedSource) -> Response:
        query = request.query_params
        run = self._run(opened)
        if run.log is None:
            raise NotFoundError("the run has no build log", got=run.report.run)
        log = private_object(self._room.session.store, run.log)
        last = max(1, -(-len(log) // LOG_PIECE))
        page = min(max(1, _number(query, "page", last)), last)
        start = (page - 1) * LOG_PIECE
        first = log.count(b"\n", 0, start)
        shown = [shown_line(line) for line in log[start : start + LOG_PIECE].split(b"\n")]
        return self._of(
            request, "log", opened, run=run, lines=shown, first=first + 1, page=page, pages=last
        )

    def _depth(self, request: Request, opened: OpenedSource) -> Response:
        run = self._run(opened)
        told = [(finding, run.told(finding)) for finding in run.report.artefacts]
        return self._of(request, "depth", opened, run=run, told=told, differences=differences)

    def _diffoscope(self, request: Request, opened: OpenedSource) -> Response:
        query = request.query_params
        run, number = self._run(opened), _number(query, "artefact", 0)
        found = run.report.artefacts[number : number + 1]
        digest = run.told(found[0]).explanation.html_diff if found else None
        if digest is None:
            raise NotFoundError("diffoscope has not compared that artefact")
        data = private_object(self._room.session.store, digest)
        return Response(data, media_type="text/html", headers=FRAMED)

    async def _prepare(self, request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_PREPARED:
                raise UsageError("a form with too much text", expected=f"{MAX_PREPARED} bytes")
        return await run_in_threadpool(self._write_prepared, _release_of(request), body)

    def _write_prepared(self, release: str, body: bytes) -> Response:
        form = {k: v[0] for k, v in parse_qs(body.decode("utf-8", "replace")).items()}
        with self._turns, self._room.reading():
            name = self._prepared.write(self._room.open(release).subject, form)
        return RedirectResponse(f"{self._folder}/prepared/{name}", 303)

    def _show_prepared(self, request: Request) -> Response:
        name = request.path_params["name"]
        path = self._prepared.path(name)
        prepared = self._prepared.read(name)
        command = self._prepared.command(name, prepared)
        return self._html(request, "prepared", prepared=prepared, command=command, path=path)


@cache
def _templates(language: str) -> Environment:
    made = environment(language, (_HERE / "templates",))
    made.filters["query"] = lambda values: urlencode({k: v for k, v in values.items() if v})
    return made


def _language(request: Request) -> str:
    """Return the first language that the browser asks for and the pages have."""
    for wanted in request.headers.get("accept-language", "").split(","):
        code = wanted.partition(";")[0].partition("-")[0].strip().lower()
        if code in LANGUAGES:
            return code
    return ENGLISH


def _release_of(request: Request) -> str:
    given = request.path_params
    return f"{given['vendor']}/{given['product']}@{given['version']}"


def _number(query: QueryParams, name: str, default: int) -> int:
    """Return a number of a query; what is none is the default."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default

"""What differs and why: from public evidence alone, bounded, and as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile
from pipelines.audit.source import Source
from pipelines.evidence.statements.statement import DigestSet
from pipelines.evidence.stored_runs import EXPLANATION_RECORD
from pipelines.judge.difference import (
    Cause,
    CauseName,
    FieldDifference,
    FieldKind,
    MemberDiff,
    MemberFact,
)
from pipelines.judge.finding import Carried, Confirmation
from pipelines.portal.pages.difference import (
    DifferencePage,
    difference_page,
    differing,
    diffoscope_file,
)
from pipelines.portal.paths import check_path, difference_path
from pipelines.portal.rendering import html
from pipelines.storage.names import Visibility
from tests.consensus.world import CONTENT, FILE, RELEASE, World
from tests.explanations import (
    COMPILER,
    WEAKER,
    explain,
    explanation_of,
    explanation_statement,
    look,
)
from tests.portal.built_portal import RELEASE_PAGE, BuiltPortal

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PAGE = f"{RELEASE_PAGE}differences/{FILE}/"
DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
HTML = b'<html><script>alert(1)</script><p class="x">diff "of" two</p></html>'
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"


class Differing(World):
    """Centers that all built the same other bytes; the first of them says why."""

    def __init__(self, told: dict[str, Any] | None = None, **run: Any) -> None:
        super().__init__("ada", "bob")
        runs = [site.made(files=DIFFERENT, **run) for site in self.sites.values()]
        for site, made in zip(self.sites.values(), runs, strict=True):
            site.publish(made)
        if told is not None:
            self.explain(explanation_of(runs[0], **told))

    def explain(self, told: Any) -> None:
        site = self["ada-1"]
        run = site.made(files=DIFFERENT, run=told.run, claim=self.finding.claim)
        site.store.put_cas(Visibility.PUBLIC, told.to_json())
        site.put(f"{run.folder()}{EXPLANATION_RECORD}", site.sign(explanation_statement(run, told)))

    @property
    def finding(self) -> Any:
        return next(f for f in self.read(None).findings if f.center.id == "ada-1")

    def page(self, now: datetime = NOW) -> DifferencePage:
        (one,) = self.consensus(None).artefacts
        assert differing([one]) == [one]
        sources = {s.id: Source(center=s.id, store=s.store) for s in self.sites.values()}
        return difference_page(RELEASE, one, self.reader, sources, now=now)


def test_a_difference_says_what_differs_and_why() -> None:
    page = Differing({"first_look": look(COMPILER, WEAKER)}).page()
    ada, bob = page.centers
    assert ada.explained is not None
    assert ada.explained.fields == (COMPILER,)
    assert [(r.rule, r.field, r.reviewed, r.shipped) for r in ada.explained.rules] == [
        ("webshell", "condition", "any of them", "all of them")
    ]
    assert ada.explained.causes == (Cause(name=CauseName.CONTENT, detail="told in words"),)
    assert bob.explained is None
    assert page.settled
    shown = html(page, "en").decode()
    for text in ("GCC 14.2", "GCC 14.1", "webshell", "told in words", "All of these centers"):
        assert text in shown
    assert f"logs/ada-1/#leaf-{ada.index}" in shown
    assert "Detection rules" not in html(Differing({}).page(), "en").decode()


@pytest.mark.parametrize("confirmation", Confirmation)
def test_a_second_rebuild_is_told(confirmation: Confirmation) -> None:
    page = Differing({}).page()
    ada = page.centers[0]
    assert ada.explained is not None
    told = ada.explained.model_copy(update={"confirmation": confirmation})
    other = ada.model_copy(update={"explained": told})
    shown = html(page.model_copy(update={"centers": (other,)}), "en").decode()
    assert ("the build is not deterministic" in shown) is confirmation.varies
    assert "A second rebuild" in shown


@pytest.mark.parametrize("name", ["<" * 300, "..", "a/b", "tool.deb"])
def test_any_name_of_an_artefact_has_a_folder(name: str) -> None:
    path = difference_path(RELEASE, name)
    assert check_path(f"{path}index.html").startswith(f"{RELEASE_PAGE}differences/")
    assert path.count("/") == 6


def test_an_identical_artefact_has_no_such_page() -> None:
    world = World()
    for site in world.sites.values():
        site.run()
    assert differing(world.consensus().artefacts) == []


def test_of_a_closed_source_the_page_says_what_it_does_not_show() -> None:
    keyed = DigestSet(hmac_sha256=Digest.of(b"keyed"))
    page = Differing({"note": "in words"}, claim=keyed).page()
    assert page.private
    assert page.centers[0].explained is not None
    shown = html(page, "en").decode()
    assert "The source of this release is closed" in shown
    assert "the details are private" in shown
    for text in ("told in words", "GCC", "in words"):
        assert text not in shown
        assert text not in page.to_json().decode()


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_diffoscope_of_a_closed_source_is_not_shown(*, closed: bool) -> None:
    digest = Digest.of(HTML)
    claim = {"claim": DigestSet(hmac_sha256=Digest.of(b"keyed"))} if closed else {}
    world = Differing({"html_diff": digest}, **claim)
    store = world["ada-1"].store
    store.put_cas(Visibility.PUBLIC, HTML)
    page = world.page()
    found = diffoscope_file(page, page.centers[0], Source(center="ada-1", store=store))
    assert (found is None) is closed


def test_what_others_wrote_is_cut_and_stays_text() -> None:
    long = HOSTILE + "x" * 1_000_000
    field = FieldDifference(
        path=long, format=HOSTILE, field=long, kind=FieldKind.CONTENT, shipped=long, rebuilt=HOSTILE
    )
    member = MemberFact(path=HOSTILE, kind="file", size=1, sha256=None)
    members = MemberDiff(complete=True, removed=(member,) * 500, counts={"removed": 500})
    carried = Carried(member=long, sha256=Digest.of(b""), size=0, input=long, input_member=long)
    first = look(*[field] * 3, members=members)
    page = Differing({"first_look": first, "carried": (carried,), "note": long}).page()
    shown = html(page, "en").decode()
    assert len(shown) < 200_000
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert "Only shipped: 500" in shown


def test_all_that_a_center_says_together_is_cut() -> None:
    text = "<\u202e" * 300
    fields = [
        FieldDifference(
            path=f"{n}{text}", format="tar", field="mode", kind=FieldKind.CONTENT, shipped=text
        )
        for n in range(1000)
    ]
    member = MemberFact(path=text, kind="file", size=1, sha256=None)
    many = dict.fromkeys(("removed", "added"), (member,) * 1000)
    members = MemberDiff(complete=True, counts=dict.fromkeys(many, 100_000), **many)
    page = Differing({"first_look": look(*fields, members=members)}).page()
    told = page.centers[0].explained
    assert told is not None
    assert 1 < len(told.fields) < 20
    assert told.fields_left_out == 1000 - len(told.fields)
    shown = html(page, "en")
    assert len(shown) < 250_000
    assert f"{told.fields_left_out} more fields are not listed".encode() in shown


@pytest.mark.parametrize(
    ("age", "settled"), [(timedelta(days=1), False), (timedelta(days=9), True)]
)
def test_what_does_not_count_yet_is_read_again(age: timedelta, *, settled: bool) -> None:
    world = Differing({})
    world["ada-1"].witnessed = len(world["ada-1"].log) - 1
    page = world.page(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) + age)
    assert page.settled is settled
    assert page.centers[0].explained is None
    assert "does not count, and is not shown: awaiting-witness" in html(page, "en").decode()


def test_diffoscope_is_in_a_frame_without_rights(portal: BuiltPortal) -> None:
    runs = [portal.centers.publish(name, files=DIFFERENT) for name in ("europe", "asia")]
    explain(portal.centers, runs[0], html=HTML)
    explain(portal.centers, runs[1], html_diff=Digest.of(b"kept private"))
    portal.build()
    asia, europe = portal.twin(PAGE)["centers"]
    assert (asia["page"], europe["page"]) == (None, f"{PAGE}diffoscope-europe.html")
    frame = portal.files()[europe["page"]]
    assert frame.count(b"<script") == frame.count(b'srcdoc="<html><script')
    assert b'<iframe sandbox="" ' in frame
    assert b"diff &quot;of&quot; two" in frame
    shown = portal.html(PAGE)
    assert '<iframe sandbox="" loading="lazy"' in shown
    assert "alert(1)" not in shown
    assert "It ran, and its page is not public:" in shown

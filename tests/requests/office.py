"""A center that answers requests, known people around it, and a clock that is told the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import EngineError
from builders.core.runid import new_run_id
from infra.bench.madeup import EMPTY_POLICY
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.report import Environment, Report
from pipelines.evidence.statements.people import Answer, request
from pipelines.evidence.statements.statement import Statement
from pipelines.judge.finding import FileFact, Finding, ShippedFact
from pipelines.policy import Reviewer
from pipelines.requests.handler import OpenRequest, RequestHandler, RequestOutcome
from pipelines.requests.messages import (
    SignedRequest,
    receipt_key,
    request_from,
    request_key,
    store_request,
)
from pipelines.requests.serve import serve
from pipelines.requests.triage import TriageResult, pending
from pipelines.storage.names import REPORT, release_run
from pipelines.storage.store import Store
from tests.fakes.store import MemoryStore
from tests.lab import write_recipe
from tests.policy.reviews.people import ADA, BOB, EVE, Person

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HERE, ELSEWHERE = "asia", "europe"
RELEASE, OTHER_RELEASE = "lab/engine@1", "lab/rules@1"
CENTER = Person(77)
DAY = timedelta(hours=24)


def signed(
    person: Person = ADA,
    *,
    name: str = "ada",
    center: str = HERE,
    release: str = RELEASE,
    nonce: str = "nonce-0001",
    ago: timedelta = timedelta(minutes=1),
    valid: timedelta = DAY,
) -> Envelope:
    """Return a request, by default one that is accepted."""
    statement = request(
        center=center, release=release, nonce=nonce, requester=name, now=NOW - ago, valid=valid
    )
    return sign_envelope(statement.to_bytes(), person)


def by_center(statement: Statement, key: Person = CENTER) -> Envelope:
    return sign_envelope(statement.to_bytes(), key)


def report(release: str = RELEASE, *, center: str = HERE, verdict: Verdict) -> Report:
    """Return the report of a run that found one artefact so."""
    path, _, version = release.partition("@")
    vendor, _, product = path.partition("/")
    published, other = Digest("a" * 64), Digest("b" * 64)
    rebuilt = FileFact(sha256=published if verdict is Verdict.IDENTICAL else other, size=3)
    checked = verdict is not Verdict.NOT_CHECKED
    served = {"sha256": published, "size": 3} if checked else {}
    finding = Finding(
        name="out.bin",
        verdict=verdict,
        reason="a test",
        shipped=ShippedFact(published=published, **served),
        rebuilt=rebuilt if checked else None,
    )
    return Report(
        vendor=vendor,
        product=product,
        version=version,
        center=center,
        run=new_run_id(NOW),
        outcome=Outcome.BUILT if checked else Outcome.BUILD_FAILED,
        verdict=verdict,
        artefacts=(finding,),
        environment=Environment(declared={}, method="script"),
        timings={"total": 1.0},
    )


@dataclass
class Center:
    """The center that is asked; `runs` are the recipes that it has run."""

    folder: Path
    store: Store = field(default_factory=MemoryStore)
    now: datetime = NOW
    verdict: Verdict = Verdict.IDENTICAL
    faults: int = 0
    """Runs that fail before one comes to its end."""
    runs: list[Path] = field(default_factory=list)
    people: dict[str, Person] = field(default_factory=lambda: {"ada": ADA, "bob": BOB})
    revoked: tuple[Person, ...] = ()
    home: str = "home"
    logged: list[Sequence[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for product in ("engine", "rules"):
            place = self.recipes / "lab" / product
            if not place.exists():
                write_recipe(place, [["true"]])

    @property
    def recipes(self) -> Path:
        return self.folder / "releases"

    @property
    def handler(self) -> RequestHandler:
        return RequestHandler(
            center=HERE,
            store=self.store,
            reports=self.store,
            policy=replace(
                EMPTY_POLICY,
                reviewers=tuple(Reviewer(name=n, key=p.public) for n, p in self.people.items()),
                revoked=frozenset(p.public.keyid for p in self.revoked),
            ),
            recipes=self.recipes,
            sign=by_center,
            keys=(CENTER.public,),
            home=self.folder / self.home,
            log=self.logged.append,
        )

    def ask(self, envelope: Envelope | None = None, **told: Any) -> SignedRequest:
        """Put a request where this center looks for it, whatever center it names."""
        made = envelope or signed(**told)
        asked = request_from(made.to_bytes())
        self.store.put_record(request_key(HERE, asked.digest), made.to_bytes())
        return asked

    def look(self) -> TriageResult:
        return pending(self.handler, self.now)

    def serve(self) -> list[RequestOutcome]:
        return serve(self.handler, self.run, lambda: self.now)

    def run(self, item: OpenRequest) -> Report:
        """Do what `verify-release` does: leave the report in the store."""
        recipe = item.recipe
        self.runs.append(recipe)
        if self.faults:
            self.faults -= 1
            raise EngineError("the engine is away", got="nothing")
        made = report(f"lab/{recipe.parent.name}@1", verdict=self.verdict)
        place = release_run(made.vendor, made.product, made.version, made.center, made.run)
        self.store.put_record(f"{place}{REPORT}", made.to_json())
        return made

    def another(self, **changes: Any) -> Center:
        """Return a second server of the same center."""
        return replace(self, runs=[], **changes)

    def records(self) -> list[str]:
        return list(self.store.list("public/requests/"))

    def receipt(self, asked: SignedRequest, number: int) -> bytes:
        return self.store.get(receipt_key(HERE, asked.digest, number), 1 << 20)


def answers(served: Sequence[RequestOutcome]) -> list[tuple[Answer, str | None]]:
    """Return what was answered, and why."""
    return [(s.receipt.answer, s.receipt.reason) for s in served if s.receipt]


__all__ = ["ADA", "BOB", "CENTER", "EVE", "HERE", "NOW", "Center", "signed", "store_request"]

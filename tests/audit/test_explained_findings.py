"""What explains a finding: believed only if it is signed, logged, and about that comparison."""

from __future__ import annotations

import pytest

from builders.core.digest import Digest
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun
from pipelines.audit.center_finding import CenterFinding, Excluded
from pipelines.audit.explained_findings import ExplainedFinding, read_explanation
from pipelines.audit.source import Source
from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.evidence.statements.explanation import ExplanationStatement
from pipelines.evidence.stored_runs import EXPLANATION_RECORD
from pipelines.storage.names import Visibility, cas
from tests.consensus.world import CONTENT, FILE, RELEASE, Site, World
from tests.explanations import COMPILER, explanation_of, explanation_statement

DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


class Different:
    """A center that found a difference, and what it says of why."""

    def __init__(self) -> None:
        self.world = World()
        self.site: Site = self.world["ada-1"]
        self.run: MadeUpRun = self.site.made(files=DIFFERENT)
        self.site.publish(self.run)
        self.told: RunExplanation = explanation_of(self.run)
        self.key = f"{self.run.folder()}{EXPLANATION_RECORD}"

    def state(self, statement: ExplanationStatement | None = None, *, logged: bool = True) -> None:
        statement = statement or explanation_statement(self.run, self.told)
        self.site.store.put_cas(Visibility.PUBLIC, self.told.to_json())
        self.site.put(self.key, self.site.sign(statement), logged=logged)

    @property
    def finding(self) -> CenterFinding:
        found = [f for f in self.world.read().findings if f.center.id == "ada-1"]
        return found[0]

    def read(self) -> ExplainedFinding | Excluded | None:
        source = Source(center="ada-1", store=self.site.store)
        return read_explanation(self.world.reader, source, RELEASE, self.finding)

    def reason(self) -> str:
        found = self.read()
        assert isinstance(found, Excluded)
        return str(found.reason)


@pytest.fixture
def different() -> Different:
    return Different()


def test_an_explanation_is_read_with_its_document(different: Different) -> None:
    different.state()
    found = different.read()
    assert isinstance(found, ExplainedFinding)
    assert found.artefact.explanation.first_look is not None
    assert found.artefact.explanation.first_look.fields == (COMPILER,)
    assert found.index == len(different.site.log) - 1
    assert found.record == different.key


def test_nothing_is_said_of_a_run_without_an_explanation(different: Different) -> None:
    assert different.read() is None


def test_one_that_is_not_logged_does_not_count(different: Different) -> None:
    different.state(logged=False)
    assert different.reason() == "not-logged"


def test_one_that_no_witness_has_seen_does_not_count_yet(different: Different) -> None:
    different.state()
    different.site.witnessed = len(different.site.log) - 1
    assert different.reason() == "awaiting-witness"


def test_one_of_another_key_does_not_count(different: Different) -> None:
    statement = explanation_statement(different.run, different.told)
    different.site.put(different.key, sign_envelope(statement.to_bytes(), MadeUpKey("mallory")))
    assert different.reason() == "unknown-key"


def test_one_of_another_comparison_does_not_count(different: Different) -> None:
    (one,) = different.told.artefacts
    other = one.model_copy(update={"comparison": Digest.of(b"another comparison")})
    different.told = different.told.model_copy(update={"artefacts": (other,)})
    different.state()
    assert different.reason() == "misplaced"


def test_a_document_that_is_gone_is_no_explanation(different: Different) -> None:
    different.state()
    del different.site.store.objects[cas(Visibility.PUBLIC, Digest.of(different.told.to_json()))]
    assert different.reason() == "unreadable"


def test_a_document_that_is_none_is_no_explanation(different: Different) -> None:
    rubbish = different.site.store.put_cas(Visibility.PUBLIC, b'{"vendor": "acme"}')
    different.state(explanation_statement(different.run, different.told, rubbish))
    assert different.reason() == "unreadable"


@pytest.mark.parametrize(
    "changes",
    [{"causes": ()}, {"comparison": Digest.of(b"another")}],
    ids=["other causes", "another comparison"],
)
def test_a_document_that_says_something_else_does_not_count(
    different: Different, changes: dict[str, object]
) -> None:
    (one,) = different.told.artefacts
    other = different.told.model_copy(update={"artefacts": (one.model_copy(update=changes),)})
    document = different.site.store.put_cas(Visibility.PUBLIC, other.to_json())
    different.state(explanation_statement(different.run, different.told, document))
    assert different.reason() == "contradicts-itself"


def test_a_document_of_another_run_does_not_count(different: Different) -> None:
    other = different.told.model_copy(update={"run": "20260102T030405Z-ffffffff"})
    document = different.site.store.put_cas(Visibility.PUBLIC, other.to_json())
    different.state(explanation_statement(different.run, different.told, document))
    assert different.reason() == "contradicts-itself"


def test_a_store_that_does_not_answer_explains_nothing(different: Different) -> None:
    different.state()
    source = Source(center="ada-1", store=different.site.store, peer=True)
    finding, reader = different.finding, different.world.reader
    different.site.store.fail_on("get")
    found = read_explanation(reader, source, RELEASE, finding)
    assert isinstance(found, Excluded)
    assert str(found.reason) == "silent"

"""The evidence of a run with its recipe parsed, and the conditions that it must satisfy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import zip_longest
from pathlib import Path

from builders.core.digest import Digest
from builders.core.errors import RecipeError
from builders.core.yamlfile import parse_document
from builders.rebuild.rebuild_result import Output, OutputKind, RebuildResult
from builders.rebuild.seal import SealedFile, seal_key
from builders.recipe.recipe import LoadedRecipe, Recipe, parse_recipe
from pipelines.center.center import Center
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.report import Report
from pipelines.evidence.run import Run
from pipelines.judge.compare import Declared, Facts, Unreachable, compare, confirm_all
from pipelines.judge.copied import CheckedInput, Contents, contents, input_fault
from pipelines.judge.finding import FileFact, Finding
from pipelines.signer.byte_source import ByteSource
from pipelines.signer.orders import Evidence

SKEW = timedelta(minutes=5)
"""How far the clock of a caller may be from that of the signer."""
MAX_RUN = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class OpenedEvidence:
    """One run that the signer is asked to sign for."""

    evidence: Evidence
    center: Center
    source: ByteSource
    now: datetime

    @property
    def report(self) -> Report:
        """What the center claims to have found."""
        return self.evidence.report

    @cached_property
    def loaded(self) -> LoadedRecipe:
        """The recipe of the evidence, parsed, and its script; raises `RefusedError`."""
        try:
            document = parse_document(self.evidence.recipe.decode("utf-8"), file="the recipe")
            loaded = parse_recipe(document, Path("recipe.yaml"))
        except (RecipeError, UnicodeDecodeError) as error:
            raise RefusedError("recipe", "the recipe cannot be read", got=error) from error
        script = getattr(loaded.recipe.build, "script", None)
        if (script is None) != (self.evidence.script is None):
            raise RefusedError(
                "script",
                "the script is not that of the recipe",
                got="a script" if self.evidence.script is not None else "none",
                expected=script or "none",
            )
        return loaded.model_copy(update={"script": self.evidence.script})

    @property
    def recipe(self) -> Recipe:
        """What was to be rebuilt."""
        return self.loaded.recipe

    @cached_property
    def run(self) -> Run:
        """The run as statements see it."""
        return Run(
            report=self.report,
            loaded=self.loaded,
            recipe=Digest.of(self.evidence.recipe),
            image=self.evidence.image,
            center=self.center.id,
            builder=self.center.builder_id,
        )

    @property
    def rebuilds(self) -> tuple[tuple[str, RebuildResult], ...]:
        """Every rebuild by its name in messages: the attempts, then the robustness rebuild."""
        robustness = self.evidence.robustness
        return (
            *((f"attempt {a.number}", a.rebuild) for a in self.report.attempts),
            *([("the robustness rebuild", robustness.rebuild)] if robustness else []),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the judged rebuild left; empty for a run that built nothing."""
        judged = self.run.judged
        return judged.outputs if judged and self.run.built else ()

    @cached_property
    def sealed(self) -> tuple[SealedFile, ...]:
        """The lines of the seal, from the bytes in the store; raises `RefusedError`."""
        key = seal_key(self.center.id, self.report.run)
        return tuple(
            SealedFile(
                name=o.name,
                size=o.size,
                hmac=self.source.measure(
                    o.sha256, check="output-bytes", what=f"output {o.name}", key=key
                ).hmac,
            )
            for o in sorted(self.outputs, key=lambda o: o.name)
            if o.part is not OutputKind.IGNORED
        )

    @cached_property
    def recomputed(self) -> tuple[Finding, ...]:
        """The verdict recomputed: the judge's own code, over facts that are hashed here.

        With the confirming attempt, if there is one. Raises `RefusedError`.
        """
        report, published = self.report, {a.name: a.shipped.sha256 for a in self.recipe.artefacts}
        facts = Facts(
            outcome=report.outcome,
            outcome_reason=report.reason,
            declared=tuple(Declared(name=n, published=d) for n, d in published.items()),
            rebuilt=report.judged.rebuild.outputs if report.judged else (),
            served={
                f.name: FileFact(sha256=f.shipped.sha256, size=f.shipped.size)
                if f.shipped.sha256 is not None and f.shipped.size is not None
                else Unreachable(reason="it was not served")
                for f in report.artefacts
                if f.shipped
            },
            input_fault=input_fault(self._contents(), published) if self.outputs else None,
        )
        findings, again = compare(facts), report.confirming
        return confirm_all(findings, again.rebuild.outputs) if again else findings

    def _contents(self) -> Iterator[tuple[CheckedInput, Contents]]:
        """Yield every file of the inputs with what it contains."""
        for item in self.recipe.inputs:
            for file in self.source.input_files(item):
                checked = CheckedInput(
                    role=file.role,
                    name=file.name,
                    digest=file.sha256,
                    open=partial(self.source.open_vaulted, file.sha256),
                )
                yield checked, contents(checked, cache=self.source.cache)


@dataclass(frozen=True)
class Condition:
    """Whether evidence satisfies the rule `check`, and the error if it does not."""

    check: str
    error: str
    holds: bool
    got: object
    expected: object


def equal(check: str, error: str, got: object, expected: object) -> Condition:
    """Return the condition that both values are equal; of two lists, the first difference is shown.

    Values are escaped and shortened for the message.
    """
    holds = got == expected
    if isinstance(got, list) and isinstance(expected, list):
        pairs = zip_longest(got, expected, fillvalue=None)
        got, expected = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    return Condition(check, error, holds, _shown(got), _shown(expected))


def enforce(conditions: Iterable[Condition]) -> None:
    """Raise `RefusedError` for the first condition that does not hold."""
    for condition in conditions:
        if not condition.holds:
            raise RefusedError(
                condition.check, condition.error, got=condition.got, expected=condition.expected
            )


def _shown(value: object) -> str:
    return "nothing" if value is None else ascii(str(value))[1:-1][:300]

"""The runs in a store: which releases were verified, and what each run found.

Others may have written to the store: a report that is damaged, too large or about something else is
listed as damaged, with the reason, and never stops the reading of others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ValidationError

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from builders.core.errors import NotFoundError, UsageError
from builders.core.frozen_model import FrozenModel
from builders.core.runid import RunId, parse_run_id
from builders.core.similar import did_you_mean, with_suggestion
from builders.recipe.recipe import ProductName, ProductVersion
from pipelines.evidence.dsse import MAX_ENVELOPE, Envelope
from pipelines.evidence.errors import MalformedError
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.report import Report
from pipelines.evidence.run_explanation import RunExplanation
from pipelines.evidence.statements.explanation import ExplanationStatement
from pipelines.evidence.statements.rebuilds import RobustnessStatement, RobustnessTest
from pipelines.evidence.strictjson import printable, read_object
from pipelines.storage.names import (
    REPORT,
    Visibility,
    cas,
    check_prefix,
    decode,
    private_twin,
    release_prefix,
    release_run,
)
from pipelines.storage.store import DamagedError, Store, TooLargeError

MAX_REPORT = 32 << 20
ROBUSTNESS_RECORD = "robustness-1.dsse.json"
"""In the folder of a run: what the robustness rebuild showed, if one was made."""
EXPLANATION_RECORD = "explanation-1.dsse.json"
"""In the folder of a run: what explains its differences, once it is stated."""
EXPLANATION = "explanation.json"
"""In the private folder of a run: the whole explanation, where its public form is less."""
_ROOT = "public/releases/"
_RANDOM = 8
"""Digits of the random part of a run's id."""
_LISTED = 20_000
"""Records that are listed at most for a suggestion."""
_RUN_DEPTH = 7  # public/releases/<vendor>/<product>/<version>/<center>/<run>


class RunName(FrozenModel):
    """One run of one release by one center."""

    vendor: ProductName
    product: ProductName
    version: ProductVersion
    center: Annotated[str, AfterValidator(printable)]
    run: Annotated[RunId, AfterValidator(parse_run_id)]

    @classmethod
    def of(cls, release: ReleaseName, center: str, run: str) -> RunName:
        """Return the name of a run; raises `ValueError` for another center or run id."""
        vendor, product, version = release.parts
        return cls(vendor=vendor, product=product, version=version, center=center, run=RunId(run))

    @property
    def release(self) -> ReleaseName:
        """The release."""
        return ReleaseName(**self.only("vendor", "product", "version"))

    @property
    def prefix(self) -> str:
        """Return the folder of its records in the store."""
        return release_run(self.vendor, self.product, self.version, self.center, self.run)

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`, and as a report names it."""
        return self.only("vendor", "product", "version", "center", "run")


class ReportedVerdict(BaseModel, frozen=True):
    """An artefact and its verdict, as reported."""

    name: str
    verdict: Verdict


class RunSummary(BaseModel, frozen=True):
    """What a run found, in short: of a report, the fields that every reader needs."""

    name: RunName
    outcome: Outcome
    verdict: Verdict | None
    artefacts: tuple[ReportedVerdict, ...]
    claim: Digest | None = None
    robustness: str | None = None
    """The result of the robustness rebuild, if one was made; `damaged` if it cannot be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return self.name.to_dict() | self.model_dump(mode="json", exclude={"name"})


@dataclass(frozen=True, kw_only=True)
class DamagedRun:
    """A run whose report cannot be read."""

    prefix: str
    """Its folder in the store, percent-encoded and so safe to print."""
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {"prefix": self.prefix, "damaged": self.reason}


def list_runs(
    store: Store, release: ReleaseName | None = None
) -> Iterator[RunSummary | DamagedRun]:
    """Yield every run in the store, or of one release, in order of its name.

    Raises `StoreError` only when the store itself cannot be read.
    """
    folder = _ROOT if release is None else release_prefix(*release.parts)
    for prefix, keys in groupby(store.list(folder), key=_run_prefix):
        tested = prefix + ROBUSTNESS_RECORD in keys
        try:
            name = _run_name(prefix)
            found = _summary(name, read_report(store, name))
            if tested:
                found = found.model_copy(update={"robustness": _robustness(store, name)})
            yield found
        except (DamagedError, NotFoundError, UsageError) as error:
            yield DamagedRun(prefix=prefix, reason=str(error))


def find_run(
    store: Store, release: ReleaseName, run: str = "latest", center: str | None = None
) -> RunName:
    """Return the run of that id, of an id that ends so, or the newest; raises `NotFoundError`.

    Run ids begin with their time of start, so the newest is the last one in order. Damaged runs
    count, so that the caller learns that the newest one is damaged.
    """
    every = list(_run_names(store.list(release_prefix(*release.parts))))
    found = [
        name
        for name in every
        if center in {None, name.center}
        and (run in {"latest", name.run} or name.run.endswith(f"-{run}"))
    ]
    if not found:
        whose = f" by center {center}" if center else ""
        ids = {part for name in every for part in (name.run, name.run[-_RANDOM:])} - {run}
        meant = did_you_mean(run, sorted(ids)) if every else similar_release(store, release)
        raise NotFoundError(
            f"the store has no {'run' if run == 'latest' else f'run {run}'} of {release}{whose}",
            todo=with_suggestion("`samebits evidence list` shows what it has", meant),
        )
    if run != "latest" and len({name.run for name in found}) > 1:
        raise UsageError(
            f"several runs of {release} end with {run}",
            got=", ".join(sorted(name.run for name in found)),
            todo="Give the whole id",
        )
    return max(found, key=lambda name: (name.run, name.center))


def similar_release(store: Store, release: ReleaseName) -> str | None:
    """Return `Did you mean ...?` with a release that the store has runs of, or None."""
    keys = islice(store.list(_ROOT), _LISTED)
    names = {str(name.release) for name in _run_names(keys)} - {str(release)}
    return did_you_mean(str(release), sorted(names))


def _run_names(keys: Iterable[str]) -> Iterator[RunName]:
    """Yield the runs that records of these names are of."""
    for prefix in {_run_prefix(key) for key in keys}:
        with suppress(DamagedError, UsageError):
            yield _run_name(prefix)


def read_report(store: Store, name: RunName, *, whole: bool = False) -> dict[str, Any]:
    """Return the report of a run; raises `NotFoundError`, and `DamagedError` for rubbish.

    What is returned is a JSON object about exactly that run, whose outcome and verdicts are known
    words; its other fields are as they were found. Of a private release that is its public form,
    unless the `whole` report is asked for and the store has it.
    """
    report = _read_document(store, name, whole=whole)
    _summary(name, report)
    return report


def _read_document(store: Store, name: RunName, *, whole: bool) -> dict[str, Any]:
    """Return the JSON object of a report about exactly that run; raises as `read_report` does."""
    key = name.prefix + REPORT
    if whole and store.has(private_twin(key)):
        key = private_twin(key)
    try:
        report = read_object(store.get(key, MAX_REPORT), what=key, limit=MAX_REPORT, floats=True)
    except (TooLargeError, MalformedError) as error:
        raise _damaged(key, got=error.got, expected=error.expected) from error
    for field, expected in name.to_dict().items():
        if report.get(field) != expected:
            raise _damaged(key, got=f"{field} {report.get(field)!a:.120}", expected=expected)
    return report


def stored_report(store: Store, name: RunName, *, whole: bool = False) -> Report:
    """Return the report of a run with all of its fields valid; raises as `read_report` does."""
    document = _read_document(store, name, whole=whole)
    try:
        return Report.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        got = f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        raise _damaged(name.prefix + REPORT, got=got, expected="a whole report") from error


def read_robustness(store: Store, name: RunName) -> RobustnessTest | None:
    """Return what the robustness rebuild of a run showed; None where none was made.

    As with a report, no signature is verified. Raises `DamagedError` for a record that is not a
    statement about exactly that run.
    """
    key = name.prefix + ROBUSTNESS_RECORD
    expected = "a statement about a robustness rebuild of this run"
    todo = "Find out who wrote that record; the verdict does not rest on it"
    try:
        envelope = Envelope.from_bytes(store.get(key, MAX_ENVELOPE))
        test = RobustnessStatement.from_bytes(envelope.payload).predicate
    except NotFoundError:
        return None
    except (MalformedError, TooLargeError) as error:
        raise _damaged(key, got=error.got, expected=expected, todo=todo) from error
    if (test.release, test.center, test.run) != (str(name.release), name.center, name.run):
        raise _damaged(key, got=f"run {test.run} of {test.release}", expected=expected, todo=todo)
    return test


def read_explanation(store: Store, name: RunName, *, whole: bool = False) -> RunExplanation | None:
    """Return what explains a run; None where nothing does, or the store has not got it.

    Of a private release that is its public form, unless the `whole` is asked for and the store has
    it. No signature is verified. Raises `DamagedError` for what is not about exactly that run.
    """
    key = name.prefix + EXPLANATION_RECORD
    todo = "Find out who wrote that record; the verdict does not rest on it"
    try:
        envelope = Envelope.from_bytes(store.get(key, MAX_ENVELOPE))
        document = ExplanationStatement.from_bytes(envelope.payload).predicate.document.sha256
        if document is None:
            return None
        data = store.get(cas(Visibility.PUBLIC, document), MAX_REPORT)
        if Digest.of(data) != document:
            raise _damaged(key, got=f"sha256 {Digest.of(data)}", expected=document, todo=todo)
        kept = private_twin(name.prefix + EXPLANATION)
        if whole and store.has(kept):
            data = store.get(kept, MAX_REPORT)
        found = RunExplanation.model_validate_json(data)
    except NotFoundError:
        return None
    except (MalformedError, TooLargeError, ValidationError) as error:
        got = getattr(error, "got", None) or "another document"
        raise _damaged(key, got=got, expected="an explanation", todo=todo) from error
    if found.only(*RunName.model_fields) != name.to_dict():
        what = f"run {found.run} of {found.release}"
        raise _damaged(key, got=what, expected="an explanation of this run", todo=todo)
    return found


def _robustness(store: Store, name: RunName) -> str:
    try:
        test = read_robustness(store, name)
    except DamagedError:
        return "damaged"
    return str(test.result) if test else "damaged"


def _summary(name: RunName, report: dict[str, Any]) -> RunSummary:
    try:
        return RunSummary.model_validate({**report, "name": name, "robustness": None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _damaged(
            name.prefix + REPORT, got=problem, expected="the outcome and verdicts of a report"
        ) from error


def _run_prefix(key: str) -> str:
    return "/".join(key.split("/")[:_RUN_DEPTH]) + "/"


def _run_name(prefix: str) -> RunName:
    parts = check_prefix(prefix).rstrip("/").split("/")
    if len(parts) != _RUN_DEPTH:
        raise _damaged(prefix, got="a record outside of a run", expected="folders of runs")
    try:
        named = zip(RunName.model_fields, map(decode, parts[2:]), strict=True)
        return RunName.model_validate(dict(named))
    except ValidationError as error:
        raise _damaged(prefix, got="another name", expected="a release, center, run id") from error


def _damaged(
    key: str,
    *,
    got: object,
    expected: object,
    todo: str = "Verify the release again, and find out who wrote that record",
) -> DamagedError:
    return DamagedError(f"{key} is damaged", got=got, expected=expected, todo=todo)

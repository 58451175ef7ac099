"""What a center says of why bytes differ, as a page shows it: bounded, and of public text alone."""

from __future__ import annotations

from itertools import islice
from typing import Any

from markupsafe import escape

from builders.core.digest import Digest
from builders.core.escaping import escaped
from builders.core.frozen_model import FrozenModel
from pipelines.audit.explained_findings import ExplainedFinding
from pipelines.evidence.run_explanation import ExplainedArtefact
from pipelines.evidence.statements.statement import Time
from pipelines.explain.sentences import differences
from pipelines.judge.difference import Cause, FieldDifference, QuickDiff
from pipelines.judge.finding import Carried, Confirmation, Explanation, ExplanationStatus
from pipelines.portal.shown_text import cut_text

LISTED = 100
"""Entries of one list, such as members that were added."""
MOST = 40_000
"""Characters of one list, as a page has them."""
_RULES = " rules"
"""How the format of a field ends that is one of a detection rule."""


class RuleDifference(FrozenModel):
    """A detection rule, or a field of one, that differs."""

    language: str
    rule: str
    field: str
    """Empty for a rule that one side has not got."""
    file: str
    reviewed: str | None
    """What the rule says that was built from the reviewed source."""
    shipped: str | None


class Explained(FrozenModel):
    """What a center says of why the bytes differ."""

    on: Time
    index: int
    """Of the statement in the center's log."""
    first: FieldDifference | None
    """The most telling field."""
    causes: tuple[Cause, ...]
    confirmation: Confirmation | None
    """What a second rebuild left."""
    confirming: str | None
    """The outcome of the second rebuild, if one was made."""
    fields: tuple[FieldDifference, ...]
    rules: tuple[RuleDifference, ...]
    fields_left_out: int
    look: QuickDiff | None
    """The rest of the first look: sizes, offsets, members; without its fields."""
    carried: tuple[Carried, ...]
    status: ExplanationStatus
    """How far diffoscope got."""
    note: str | None
    diffoscope: Digest | None
    """SHA-256 of its page, keyed where the source is closed; None where it did not run."""


def explained(found: ExplainedFinding, *, closed: bool) -> Explained:
    """Return what explains a finding as it is shown: every list and text of it is bounded.

    Where the source is `closed` no text of a center is shown, whatever it has published.
    """
    whole = None if closed else found.artefact.explanation.first_look
    about = without_texts(found.artefact) if closed else bounded(found.artefact)
    told = about.explanation
    look = told.first_look
    fields = differences(look) if look else ()
    cut_off = len(whole.fields) - len(fields) if whole else 0
    return Explained(
        on=found.explained_on,
        index=found.index,
        first=next(iter(fields), None),
        causes=about.causes,
        confirmation=about.confirmation,
        confirming=str(found.confirming.rebuild.outcome) if found.confirming else None,
        fields=tuple(field for field in fields if not field.format.endswith(_RULES)),
        rules=tuple(_rule(field) for field in fields if field.format.endswith(_RULES)),
        fields_left_out=look.fields_left_out + cut_off if look else 0,
        look=look and look.model_copy(update={"fields": ()}),
        carried=told.carried,
        status=told.status,
        note=told.note,
        diffoscope=told.html_diff,
    )


def without_texts(about: ExplainedArtefact) -> ExplainedArtefact:
    """Return fixed words and keyed digests alone."""
    told = about.explanation
    return about.model_copy(
        update={
            "causes": tuple(Cause(name=cause.name, detail="") for cause in about.causes),
            "explanation": Explanation(status=told.status, html_diff=told.html_diff),
        }
    )


def bounded(about: ExplainedArtefact) -> ExplainedArtefact:
    """Return what is known of an artefact with at most `LISTED` entries a list, and not too long.

    An honest center writes less; the document of another may hold anything.
    """
    plain = about.model_dump(mode="json", by_alias=True)
    return ExplainedArtefact.model_validate(_bounded(plain))


def _bounded(value: Any) -> Any:
    match value:
        case str():
            return cut_text(value)
        case list():
            return _first(value)
        case dict():
            return {key: _bounded(one) for key, one in islice(value.items(), LISTED)}
    return value


def _first(entries: list[Any]) -> list[Any]:
    """Return the entries of a list up to either limit."""
    found: list[Any] = []
    size = 0
    for one in map(_bounded, entries[:LISTED]):
        size += _size(one)
        if found and size > MOST:
            break
        found.append(one)
    return found


def _size(value: Any) -> int:
    """Return the characters of all texts in a value, as a page has them."""
    match value:
        case str():
            return len(escape(escaped(value)))
        case list():
            return sum(map(_size, value))
        case dict():
            return sum(map(_size, value.values()))
    return 0


def _rule(field: FieldDifference) -> RuleDifference:
    rule, colon, name = field.field.rpartition(": ")
    return RuleDifference(
        language=field.format.removesuffix(_RULES),
        rule=rule if colon else field.field,
        field=name if colon else "",
        file=field.path,
        reviewed=field.rebuilt,
        shipped=field.shipped,
    )

"""Changes of detection rules as text: sentences, causes, and a page without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.explain.page import pages
from pipelines.rules.change import Effect, RuleChange, RuleChanges

_TEXT = 120


def summary(changes: RuleChanges) -> str:
    """Return what differs in one line."""
    total = sum(changes.counts.values())
    if not total:
        read = "rule differs" if changes.is_complete else "rule that was read differs"
        return f"no {read}; {changes.unchanged} are the same"
    effects = (f"{count} {name}" for e in Effect if (count := changes.effects.get(name := str(e))))
    return f"{total} {'rule differs' if total == 1 else 'rules differ'}: {', '.join(effects)}"


def reasons(change: RuleChange) -> Iterator[str]:
    """Yield why a change has its effect; where that is not known, what differs."""
    yield from map(str, change.judgement.weaknesses)
    yield from change.judgement.details
    if change.old_identity is not None:
        yield f"was {change.old_identity}"
    if change.revision_not_raised:
        yield "its revision is not raised"
    for field in () if change.judgement.details else change.fields:
        if field.old is None:
            yield f"{field.field} gets {_short(field.new or 'nothing')}"
        elif field.new is None:
            yield f"{field.field} loses {_short(field.old)}"
        else:
            yield f"{field.field} was {_short(field.old)}, now {_short(field.new)}"


def rules_page(names: Sequence[str], changes: RuleChanges) -> bytes:
    """Return the page of two rule sets; all text of theirs is escaped."""
    page = pages(Path(__file__).parent / "templates").get_template("rules.html.j2")
    text = page.render(
        title=summary(changes),
        sides=[*zip(("old", "new"), names, (changes.old, changes.new), strict=True)],
        changes=[(change, "; ".join(reasons(change))) for change in changes.changes],
        left_out=changes.left_out,
        duplicates=changes.duplicates,
    )
    return text.encode("utf-8", "backslashreplace")


def _short(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}…"

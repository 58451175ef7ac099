"""A draft recipe and its trial: the text that is written is the text that is rebuilt.

A trial is the rebuild and the judgement of a verification, without evidence: nothing is signed,
logged or stored, and the build never sees the shipped files.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.core.runid import RunId, new_run_id
from builders.core.yamlfile import parse_document
from builders.images.provide import claimed_digest
from builders.inputs.fetching import fetch_missing
from builders.rebuild.rebuild import LOG
from builders.rebuild.staging import OUTPUTS
from builders.rebuild.workspace import workspace
from builders.recipe.claim import claim_of
from builders.recipe.recipe import LoadedRecipe, parse_recipe
from pipelines.infer.journal import DraftReview, Scalar, SearchJournal
from pipelines.infer.target import Pin, Target
from pipelines.judge.finding import FileFact, Finding
from pipelines.verify import steps
from pipelines.verify.judging import judge
from pipelines.verify.session import Job, Session

# Starts the comment of every inferred value, which `recipe lint` shows.
MARK = "# inferred "
_WIDTH = 100
_TEMPLATES = Environment(  # noqa: S701  # YAML has no use for HTML escapes; `quoted` escapes texts
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TAIL = 1 << 16


def render_draft(
    template: str,
    target: Target,
    review: DraftReview | None,
    *,
    head: Iterable[str],
    variables: Mapping[str, object],
    kind: Kind = Kind.BINARY,
    **values: object,
) -> str:
    """Return the YAML of a draft from a template.

    Each text of `head` becomes one comment for the reviewer. With a review, every inferred value is
    explained, and what else a reviewer should know is said.
    """
    scalars = review.journal.scalars if review else ()
    comments = {scalar.name: _explanation(scalar) for scalar in scalars}

    def why(*names: str) -> str:
        return "".join(comments.get(name, "") for name in names or comments)

    return _TEMPLATES.get_template(template).render(
        target=target,
        head=[*head, *(_review_notes(*review) if review else ())],
        verdict=review.verdict if review else Verdict.IDENTICAL,
        why=why,
        kind=kind,
        variables={name: value for name, value in variables.items() if value is not None},
        **values,
    )


def inferred_head(review: DraftReview | None) -> list[str]:
    """Return the comment above a draft whose values were inferred; none without a review."""
    if review is None:
        return []
    tries, bits = len(review.journal.tries), review.journal.bits
    count = "1 try" if tries == 1 else f"{tries} tries"
    summary = f"inferred from what was shipped in {count}, {bits:g} bits in all"
    return [f"draft: {summary}; review every inferred value before relying on it."]


def _review_notes(journal: SearchJournal, verdict: Verdict) -> Iterator[str]:
    """Yield what a reviewer should know of a draft beside its values."""
    yield from (f"note: {note}" for note in journal.notes)
    if verdict is not Verdict.IDENTICAL:
        yield "NOT IDENTICAL: this is the nearest of what was tried."
        yield from (f"remaining cause {cause.name}: {cause.detail}" for cause in journal.causes)


def listed(rows: Sequence[object], most: int = 3) -> str:
    """Return the first rows in words, and how many more there are."""
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f"{', '.join(map(str, rows[:most]))}{more}"


def explanations(text: str) -> list[str]:
    """Return the comments on the inferred values of a draft, one line each."""
    lines = (line.strip() for line in text.splitlines())
    blocks = (list(block) for is_comment, block in groupby(lines, _is_comment) if is_comment)
    comments = (f"# {line}" for block in blocks for line in _joined(block))
    return [line.removeprefix(MARK) for line in comments if line.startswith(MARK)]


def head_notes(text: str) -> list[str]:
    """Return the comments above a draft, one line each; empty for a recipe that is no draft."""
    notes = _joined(takewhile(_is_comment, text.splitlines()))
    return notes if notes and notes[0].startswith("draft: ") else []


def _is_comment(line: str) -> bool:
    return line.startswith("# ")


def _joined(lines: Iterable[str]) -> list[str]:
    """Return comments of one or more lines, as `_comment` wraps them, one line each."""
    found: list[str] = []
    for line in lines:
        if line.startswith("#   ") and found:
            found[-1] += " " + line.removeprefix("#   ")
        else:
            found.append(line.removeprefix("# "))
    return found


def load_draft(text: str, folder: Path, script: bytes | None = None) -> LoadedRecipe:
    """Read a draft as `load_recipe` would read its file in `folder`, with its `script`."""
    path = folder / "draft.yaml"
    loaded = parse_recipe(parse_document(text, file=str(path)), path, unshipped=True)
    return loaded.model_copy(update={"script": script})


def _explanation(scalar: Scalar) -> str:
    bits = f"{scalar.bits:g} bit{'' if scalar.bits == 1 else 's'}"
    text = f"{scalar.name} {scalar.value} ({bits}): {scalar.evidence}"
    return _comment(text, start=f"  {MARK}")


def _comment(text: str, *, start: str = "# ") -> str:
    """Return a comment wrapped to lines that begin with `start`; odd characters become `?`."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    indent = start[: len(start) - len(start.lstrip())]
    lines = textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=f"{indent}#   ",
        break_on_hyphens=False,
    )
    return "\n".join(lines or [start.rstrip()]) + "\n"


def _quoted(value: object) -> str:
    """Return a value as a double-quoted scalar of YAML: every JSON string is one."""
    return json.dumps(str(value), ensure_ascii=False)


def _flow(pairs: Mapping[str, object]) -> str:
    """Return a flow mapping of YAML."""
    return f"{{{', '.join(f'{name}: {_quoted(value)}' for name, value in pairs.items())}}}"


_TEMPLATES.filters |= {"comment": _comment, "flow": _flow, "quoted": _quoted}


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The result of one trial; without findings, nothing was rebuilt and judged.

    - `reason`: why there are no outputs; empty when there are.
    - `log`: the end of the build log.
    - `outputs`: the files that were built; they are deleted when the search ends.
    """

    outcome: Outcome
    reason: str
    findings: tuple[Finding, ...] = ()
    log: str = ""
    outputs: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TrialWorkspace:
    """The run and the folder of the trials of one search."""

    session: Session
    run: RunId
    folder: Path
    script: bytes | None = None
    """The script of the recipe, if it has one."""

    def copy(self, pin: Pin) -> Path:
        """Return a checked copy of a file of the vault, which is fetched first if it is missing.

        Raises `InputUnavailableError`, `InputMismatchError`.
        """
        session, path = self.session, Path(tempfile.mkdtemp(dir=self.folder)) / pin.sha256.hex
        fetch_missing(session.vault, session.fetcher, [pin], session.workdir)
        session.vault.stage(pin.sha256, path)
        return path

    def claim(self, draft: str) -> Digest:
        """Return the claim of a draft."""
        loaded = load_draft(draft, self.folder, self.script)
        image = claimed_digest(loaded.recipe.build.image, self.session.images)
        return claim_of(loaded, image).digest

    def rebuild(self, draft: str, artefacts: Iterable[Pin], *, seconds: int) -> TrialResult:
        """Rebuild a draft within `seconds`, and compare the outputs with the digests of artefacts.

        Raises `RebuildError`, as a rebuild does.
        """
        session, loaded = self.session, load_draft(draft, self.folder, self.script)
        limits = loaded.recipe.limits
        limits = limits.model_copy(update={"time": min(seconds, limits.time)})
        recipe = loaded.recipe.model_copy(update={"limits": limits})
        job = Job(
            loaded=loaded.model_copy(update={"recipe": recipe}),
            center=session.center.id,
            run=self.run,
            folder=Path(tempfile.mkdtemp(dir=self.folder, prefix="trial-")),
        )
        inputs = steps.fetch_inputs(session, job)
        attempt = steps.run_rebuild(session, job, inputs, steps.provide_image(session, job))
        rebuilt, folder = attempt.rebuild, job.attempt(attempt.number)
        outcome, reason = rebuilt.outcome, rebuilt.reason
        served = {pin.name: self._fact(pin) for pin in artefacts}
        findings = judge(session, job, inputs, attempt, served, outcome=outcome, reason=reason)
        shutil.rmtree(folder / "inputs", ignore_errors=True)
        return TrialResult(
            outcome=outcome,
            reason=reason or "",
            findings=findings,
            log=(folder / LOG).read_bytes()[-_TAIL:].decode("utf-8", "replace"),
            outputs=tuple(folder / OUTPUTS / output.name for output in rebuilt.outputs),
        )

    def _fact(self, pin: Pin) -> FileFact:
        """Return what the index states of a file; the size that it does not, from the vault."""
        size = self.session.vault.verify(pin.sha256) if pin.size is None else pin.size
        return FileFact(sha256=pin.sha256, size=size)


@contextmanager
def trial_workspace(session: Session, *, script: bytes | None = None) -> Iterator[TrialWorkspace]:
    """Open a workspace; at exit its folder and the containers of its run are removed."""
    run = new_run_id()
    with workspace(session.center.runs, run) as folder:
        try:
            yield TrialWorkspace(session=session, run=run, folder=folder, script=script)
        finally:
            session.sweep(run)

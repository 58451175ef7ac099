"""`samebits review comment|questions`: signed comments and questions about a source."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import NotFoundError, SamebitsError, UsageError
from builders.core.escaping import entry
from pipelines.cli import options
from pipelines.cli.console import confirm
from pipelines.cli.layout import short
from pipelines.cli.terminal import counted, show, tell, warn

if TYPE_CHECKING:
    from builders.core.digest import Digest
    from pipelines.policy.reviews.comments import Discussion, SaidComment
    from pipelines.verify.review_subject import ReviewSubject
    from pipelines.verify.session import Session


@click.command()
@click.argument("recipe", type=options.RECIPE)
@click.option("--text", metavar="TEXT", help="What is said; lines are kept.")
@click.option("--question", is_flag=True, help="It is a question, and open until it is answered.")
@click.option("--answer", metavar="ID", help="It answers the question of that id.")
@click.option("--withdraw", metavar="ID", help="Withdraw your question of that id.")
@click.option("--path", metavar="FILE", help="The file of the source that it is about.")
@click.option("--line", type=click.IntRange(1, (1 << 31) - 1), help="The line of FILE.")
@options.prepared
@options.key("author")
@click.option("--reviewer", required=True, metavar="NAME", help="Your name in the policy.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@options.common
def comment(session: Session, *, recipe: Path, key_file: Path, reviewer: str, **given: Any) -> None:
    """Sign a comment, a question or an answer about the source of RECIPE.

    It is shown as yours where the policy has your key as that of a reviewer or an operator. Of a
    private release the text stays in the private part of the store. An id may be shortened.

    \b
    Examples:
      samebits review comment netbase/6.5.yaml --question --text Why? \\
          --path etc-services --key alice.key --reviewer alice
      samebits review comment netbase/6.5.yaml --answer 3f2a9c81d004 \\
          --text Because. --key bob.key --reviewer bob
    """
    from pipelines.policy.reviews.comment_records import sign_comment
    from pipelines.review.prepared import Prepared, remove_signed
    from pipelines.review.release_facts import salt_of
    from pipelines.verify.review_subject import recipe_subject

    private = options.open_key(key_file)
    prepared: Path | None = given["prepared"]
    plan = Prepared.read(prepared) if prepared else None
    subject = recipe_subject(recipe, session)
    if plan is not None:
        _require_alone(given)
        plan.require(subject, reviewer)
    said = _from_file(plan, prepared) if plan and prepared else _from_options(given)
    if said["question"] is not None:
        said["question"] = _question(said["question"], subject, session)
    tell(*_lines(said, subject, reviewer, private.public.keyid))
    if not given["yes"] and not confirm("sign this?"):
        raise UsageError("nothing was signed", got="another answer", expected="y, or --yes")
    now = datetime.now(UTC)
    name = sign_comment(
        subject.reviewed,
        session.store,
        key=private,
        author=reviewer,
        salt=salt_of(subject, session.store),
        now=now,
        **said,
    )
    if prepared is not None:
        remove_signed(prepared, session.center)
    why = None
    found = _discussion(subject, session, now)
    if isinstance(found, str):
        why = found
    elif private.public.keyid in {one.keyid for one in found.excluded if one.reviewer == reviewer}:
        why = "the policy does not name that key as one of yours"
    content = said["content"].to_dict() if said["content"] else None
    document = {"kind": str(said["kind"]), "content": content, "record": name, "not_shown": why}
    show({**subject.to_dict(), "author": reviewer, **document}, name)
    if why:
        warn(f"it is not shown as yours: {why}")


def _require_alone(given: dict[str, Any]) -> None:
    names = ("text", "question", "answer", "withdraw", "path", "line")
    if more := [f"--{name}" for name in names if given[name]]:
        raise UsageError(
            "a prepared file says everything", got=f"--prepared and {', '.join(more)}",
            todo="Leave the others out",
        )  # fmt: skip


def _from_file(plan: Any, path: Path) -> dict[str, Any]:
    from pipelines.evidence.statements.comment import CommentKind

    if not isinstance(plan.says, CommentKind):
        raise UsageError(
            f"{path} is no comment",
            got=f"one to {plan.says}",
            todo=f"`samebits review {plan.says} --prepared` signs it",
        )
    question = str(plan.question) if plan.question else None
    return {"kind": plan.says, "content": plan.content, "question": question}


def _from_options(given: dict[str, Any]) -> dict[str, Any]:
    from pydantic import ValidationError

    from pipelines.evidence.statements.comment import CommentContent, CommentKind

    kinds = {
        CommentKind.QUESTION: given["question"],
        CommentKind.ANSWER: given["answer"],
        CommentKind.WITHDRAWAL: given["withdraw"],
    }
    chosen = [kind for kind, value in kinds.items() if value]
    if len(chosen) > 1:
        raise UsageError(
            "one comment is one thing", got=", ".join(chosen), expected="one of these options"
        )
    kind = chosen[0] if chosen else CommentKind.COMMENT
    content = None
    if kind is not CommentKind.WITHDRAWAL:
        try:
            content = CommentContent(text=given["text"], path=given["path"], line=given["line"])
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise UsageError(
                "no comment can say that",
                got=f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}",
                expected="--text with 1 to 4000 printable characters, and --line with --path",
            ) from error
    return {"kind": kind, "content": content, "question": given["answer"] or given["withdraw"]}


def _lines(said: dict[str, Any], subject: ReviewSubject, author: str, keyid: str) -> Iterator[str]:
    yield f"{said['kind']}: {subject.release} ({subject.visibility})"
    for source in subject.sources:
        yield f"  source    {source.source_digest}"
    yield f"  claim     {subject.claim}"
    yield f"  scope     {subject.scope}"
    yield f"  author    {author}, key {keyid}"
    if said["question"]:
        yield f"  question  {said['question']}"
    if content := said["content"]:
        if content.place:
            yield f"  place     {content.place}"
        yield f"  text      {entry(content.text, ' ' * 12)}"


def _discussion(subject: ReviewSubject, session: Session, now: datetime) -> Discussion | str:
    """Return what was said about the sources of a release, or why the policy cannot be used."""
    from pipelines.review.release_facts import discussion_of

    try:
        policy = session.policy(now)
    except SamebitsError as error:
        return f"the policy cannot be used: {error.what}"
    return discussion_of(subject, session.store, policy, now)


def _question(text: str, subject: ReviewSubject, session: Session) -> Digest:
    """Return the question whose id begins so; raises `NotFoundError`, `UsageError`."""
    found = _discussion(subject, session, datetime.now(UTC))
    if isinstance(found, str):
        raise UsageError(found)
    ids = [q.asked.digest for q in found.questions if str(q.asked.digest).startswith(text)]
    if not ids:
        todo = "`samebits review questions` lists them"
        raise NotFoundError(f"no question of {subject.release}", got=ascii(text)[:80], todo=todo)
    if len(ids) > 1:
        raise UsageError("several questions have such an id", got=text, todo="Give more of it")
    return ids[0]


@click.command()
@click.argument("what", metavar="RELEASE|RECIPE")
@options.wide
@options.common
def questions(session: Session, what: str) -> None:
    """List the questions and comments about a release, and which questions are open.

    For a RELEASE (vendor/product@version) the source is that of its last run here. Listed is what
    a reviewer or an operator of the policy has signed.

    \b
    Examples:
      samebits review questions recipes/releases/debian/netbase/6.5.yaml
      samebits review questions debian/netbase@6.5 --json
    """
    from pipelines.verify.review_subject import review_subject

    subject = review_subject(what, session)
    found = _discussion(subject, session, datetime.now(UTC))
    if isinstance(found, str):
        raise UsageError(found)
    lines: list[str] = []
    for question in found.questions:
        lines += _said(f"{question.state} question", question.asked)
        for answer in question.answers:
            lines += _said("  answer", answer)
    for one in found.comments:
        lines += _said("comment", one)
    lines += [f"not shown: one of {x.reviewer}: {x.why}" for x in found.excluded]
    lines.append(f"{counted(found.open, 'question')} open")
    show({"about": subject.to_dict(), **found.to_dict(), "open": found.open}, *lines)


def _said(what: str, one: SaidComment) -> Iterator[str]:
    lead = " " * (len(what) - len(what.lstrip()))
    place = f", {one.content.place}" if one.content and one.content.place else ""
    when = f"{one.comment.said_on:%Y-%m-%d %H:%M}"
    yield f"{what} {short(str(one.digest))}, {one.author}, {when}{place}"
    text = one.content.text if one.content else "(private: its text is not known here)"
    yield f"{lead}  {entry(text, f'{lead}  ')}"

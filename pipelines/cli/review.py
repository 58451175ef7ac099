"""`samebits review`: signed reviews, each of exactly one source and one claim."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import EXIT_NOT_CHECKED, SamebitsError, UsageError
from builders.core.smallfile import read_small_file
from pipelines.cli import options
from pipelines.cli.console import confirm, write
from pipelines.cli.layout import short, table
from pipelines.cli.review_comments import comment, questions
from pipelines.cli.review_serve import serve
from pipelines.cli.terminal import counted, show, tell, wants_json, warn
from pipelines.evidence.errors import EXIT_REFUSED

if TYPE_CHECKING:
    from builders.recipe.recipe import LoadedRecipe
    from pipelines.cli.source import SinceApproval
    from pipelines.evidence.publickey import PublicKey
    from pipelines.evidence.release_name import ReleaseName
    from pipelines.policy.reviews.review_records import StoredReview
    from pipelines.verify.review_subject import ReviewSubject
    from pipelines.verify.session import Session


@click.group(cls=options.Group)
def command() -> None:
    """Approve source, withdraw approvals, and show which reviews count."""


for _one in (comment, questions, serve):
    command.add_command(_one)


def _decision(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what `approve` and `withdraw` take."""
    text = "The name in the center's policy."
    function = click.option("--yes", is_flag=True, help="Sign without asking.")(
        options.common_of_inputs(function)
    )
    function = click.option("--reviewer", required=True, metavar="NAME", help=text)(function)
    function = options.prepared(options.key("reviewer")(function))
    return click.argument("recipe", type=options.RECIPE)(function)


@command.command()
@_decision
@click.option("--diff", is_flag=True, help="Show what changed since the last approved version.")
def approve(session: Session, *, diff: bool, **given: Any) -> None:
    """Sign that the source of RECIPE, as its claim builds it, was reviewed and is approved.

    The inputs are fetched into the vault, so that the source digest is that of the real bytes. The
    release, its claim, its scope (what is judged, and what is not) and the digest of every source
    are shown before anything is signed, and which version of the product was approved last, how
    much changed since, and the command that shows it. A file that a page of `review serve` has
    prepared is refused if it names anything else.

    \b
    Examples:
      samebits review approve netbase/6.5.yaml --key alice.key --reviewer alice
      samebits review approve netbase/6.5.yaml \\
          --key alice.key --reviewer alice --diff
    """
    from builders.recipe.recipe import load_recipe
    from pipelines.cli.source import SinceApproval

    key, loaded = options.open_key(given["key_file"]).public, load_recipe(given.pop("recipe"))
    since = SinceApproval(loaded, session, given["reviewer"], key)
    since.compare(shown=diff)
    _decide("approve", session, loaded, since=since, **given)


@command.command()
@_decision
def withdraw(session: Session, **given: Any) -> None:
    """Sign that an approval of RECIPE's source no longer holds.

    \b
    Example:
      samebits review withdraw netbase/6.5.yaml --key alice.key --reviewer alice
    """
    from builders.recipe.recipe import load_recipe

    _decide("withdraw", session, load_recipe(given.pop("recipe")), **given)


def _decide(
    word: str,
    session: Session,
    loaded: LoadedRecipe,
    *,
    key_file: Path,
    reviewer: str,
    prepared: Path | None,
    yes: bool,
    since: SinceApproval | None = None,
) -> None:
    from builders.core.yamlfile import read_text
    from builders.recipe.scope import scope_lines
    from pipelines.evidence.statements.people import Decision
    from pipelines.infer.trial import head_notes
    from pipelines.policy.reviews.review_records import sign_reviews
    from pipelines.review.prepared import Prepared, remove_signed
    from pipelines.verify.review_subject import loaded_subject

    decision, private = Decision(word), options.open_key(key_file)
    plan = Prepared.read(prepared) if prepared else None
    subject = loaded_subject(loaded, session)
    if plan is not None:
        plan.require(subject, reviewer)
        if plan.says != decision:
            raise UsageError(f"{prepared} is not to {word}", got=plan.says, expected=word)
    lines = [f"{decision}: {subject.release} ({subject.visibility})"]
    for source in subject.sources:
        about = f"{source.locator}, sha256 {source.sha256}"
        lines.append(f"  source    {source.source_digest}  {about}")
    lines.append(f"  claim     {subject.claim}")
    lines.append(f"  scope     {subject.scope}")
    lines += [f"            {line}" for line in scope_lines(loaded.recipe)]
    lines.append(f"  reviewer  {reviewer}, key {private.public.keyid}")
    lines += since.lines() if since else []
    if head_notes(read_text(loaded.path)):
        lint = f"`samebits recipe lint {loaded.path}` shows which values were inferred"
        lines.append(f"  draft     the recipe is a draft: {lint}")
    tell(*lines)
    if decision is Decision.WITHDRAW:
        _note_nothing_withdrawn(subject, session, reviewer, private.public)
    if not yes and not confirm(f"{decision} this?"):
        raise UsageError("nothing was signed", got="another answer", expected="y, or --yes")
    now = datetime.now(UTC)
    names = sign_reviews(
        subject.reviewed,
        session.store,
        key=private,
        reviewer=reviewer,
        decision=decision,
        now=now,
    )
    if prepared is not None:
        remove_signed(prepared, session.center)
    why = _not_counted(private.public, reviewer, session, now)
    decided = {"decision": decision, "reviewer": reviewer, "reviews": names, "not_counted": why}
    before = {"last_approved": since.to_dict()} if since else {}
    show({**subject.to_dict(), **before, **decided}, *names)
    if why:
        warn(f"the review does not count under the center's policy: {why}")


def _note_nothing_withdrawn(
    subject: ReviewSubject, session: Session, reviewer: str, key: PublicKey
) -> None:
    """Warn when the store has no approval that would be withdrawn; another store may have one."""
    from pipelines.policy.reviews.review_records import stored_reviews

    sources = subject.reviewed.sources
    rows = [_row(review) for source in sources for review in stored_reviews(session.store, source)]
    wanted = {"reviewer": reviewer, "key": str(key.keyid), "decision": "approve"}
    if not any(wanted.items() <= row.items() for row in rows):
        warn(f"this store has no approval of this source by {reviewer} with this key")


def _not_counted(key: PublicKey, reviewer: str, session: Session, now: datetime) -> str | None:
    """Return why reviews with that key do not count under the center's policy, None if they can."""
    from pipelines.policy.reviews.count import ReviewExclusion, key_exclusion

    try:
        policy = session.policy(now)
    except SamebitsError as error:  # what is signed stays signed
        return f"that policy cannot be used: {error.what}"
    fault = key_exclusion(key, reviewer, policy)
    if fault in {ReviewExclusion.UNKNOWN_KEY, ReviewExclusion.NAME_OF_ANOTHER}:
        return f"{fault}; it does once the policy names {reviewer} as a reviewer with that key"
    return str(fault) if fault else None


@command.command("list")
@click.argument("what", required=False, metavar="[RELEASE|RECIPE]")
@click.option(
    "--from", "origin", metavar="PLACE", help="Another store, a folder of one, or a file."
)
@options.wide
@options.common
def list_(session: Session, what: str | None, origin: str | None) -> None:
    """List reviews, and for a RELEASE or RECIPE which of them count under the center's policy.

    For a RELEASE (vendor/product@version), source and claim are those of its last run here. A
    review is about one source, by the digest of its tree, and one claim, the digest of everything
    that decides what is built.

    \b
    Examples:
      samebits review list
      samebits review list recipes/releases/debian/netbase/6.5.yaml
      samebits review list debian/netbase@6.5 --from s3://bucket/asia

    Exit codes: 0; 2 when fewer reviewers count than are demanded, or a record cannot be read.
    """
    from pipelines.policy.reviews.review_records import stored_reviews
    from pipelines.verify.review_subject import review_subject, standing_of

    subject = review_subject(what, session) if what else None
    if origin is not None:
        found = list(_reviews_from(origin))
    else:
        sources = subject.reviewed.sources if subject else [None]
        found = [r for source in sources for r in stored_reviews(session.store, source)]
    now = datetime.now(UTC)
    policy = session.policy(now)
    rows = [_row(review) for review in found]
    standing = standing_of(subject, found, policy, now) if subject else None
    header = ("DECIDED (UTC)", "DECISION", "REVIEWER", "SOURCE", "CLAIM", "KEY")
    lines = list(table(header, map(_cells, filter(_sound, rows)), flexible=2))
    lines += [f"DAMAGED  {row['name']}: {row['fault']}" for row in rows if not _sound(row)]
    if old := sorted({row["reviewer"] for row in rows if _sound(row) and not row["scope"]}):
        lines.append(f"made before there were scopes, so approving none: {', '.join(old)}")
    if standing:
        counts = counted(len(standing.count.counted), "reviewer")
        lines.append(f"{counts} of {standing.demanded} needed: {standing.summary()}")
    elif not rows:
        lines.append("no reviews")
    show(
        {
            "reviews": rows,
            "about": subject.to_dict() if subject else None,
            "standing": standing.to_dict() if standing else None,
        },
        *lines,
    )
    damaged = any(row["fault"] for row in rows)
    sys.exit(EXIT_NOT_CHECKED if damaged or (standing and not standing.enough) else 0)


def _sound(row: dict[str, Any]) -> bool:
    return row["fault"] is None


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    decided = row["decided_on"][:16].replace("T", " ")
    digests = (short(row[name]) for name in ("source", "claim", "key"))
    return (decided, row["decision"], row["reviewer"], *digests)


def _reviews_from(place: str, *, comments: bool = False) -> Iterable[StoredReview]:
    """Return the reviews in a remote store, a folder or a file, and the comments if asked for."""
    from pipelines.policy.reviews.comment_records import read_said, stored_said
    from pipelines.policy.reviews.review_records import read_review, reviews_in, stored_reviews
    from pipelines.storage.opening import open_store, store_address

    address = store_address(place)
    if isinstance(address, Path):
        return reviews_in(address, read_said if comments else read_review)
    store = open_store(address)
    return stored_said(store) if comments else stored_reviews(store)


def _row(review: StoredReview) -> dict[str, Any]:
    from pipelines.evidence.statements.statement import show_time, value_of
    from pipelines.policy.reviews.count import review_of

    if review.envelope is None:
        return {"name": review.name, "fault": review.fault}
    statement = review_of(review.envelope)
    decided = statement.predicate
    return {
        "name": review.name,
        "fault": None,
        "reviewer": decided.reviewer,
        "decision": str(decided.decision),
        "decided_on": show_time(decided.decided_on),
        "source": str(value_of(statement.source)),
        "claim": str(value_of(statement.claim)),
        "scope": str(value_of(statement.scope)) if statement.scope else None,
        "keyed": statement.source.sha256 is None,
        "key": review.envelope.signatures[0].keyid,
    }


@command.command("import")
@click.argument("place", metavar="FILE|FOLDER")
@options.common
def import_(session: Session, place: str) -> None:
    """Import reviews and comments of others: a FILE, or all in a FOLDER or store.

    Their form is checked. The policy decides whether they count, each time that a release is
    verified or its questions are listed. Of a private release comments come without their text.

    \b
    Examples:
      samebits review import alice.dsse.json
      samebits review import /mnt/asia/public/reviews

    Exit codes: 0 all imported, 1 some cannot be read.
    """
    from pipelines.policy.reviews.comment_records import keep_said

    rows: list[dict[str, Any]] = []
    for review in _reviews_from(place, comments=True):
        kept = keep_said(session.store, review.envelope) if review.envelope else None
        rows.append({"from": review.name, "review": kept, "fault": review.fault})
        if not wants_json():
            write(kept or f"NOT IMPORTED  {review.name}: {review.fault}")
    show({"reviews": rows})
    sys.exit(EXIT_REFUSED if any(row["fault"] for row in rows) else 0)


@command.command()
@click.argument("name")
@options.file("--out", help="The private key; by default NAME.key.")
@options.json
def key(name: str, out: Path | None) -> None:
    """Make a reviewer's Ed25519 key: FILE (private, mode 0600), and the public part as .pub.

    \b
    Example:
      samebits review key alice --out alice.key
    """
    from pipelines.evidence.privatekey import create_key

    path = options.key_path(out or Path(f"{name}.key"))
    made = create_key(path.parent, path.stem).public
    public = path.with_suffix(".pub")
    show(
        {"reviewer": name, "keyid": made.keyid, "key": str(path), "public": str(public)},
        f"key {made.keyid}",
        f"{path} is private; {public} goes into the policy, as the key of {name}",
    )


@command.command()
@click.argument("release", type=options.RELEASE)
@options.file("--import", "source", help="Import the salt in FILE.")
@options.file("--out", help="New file for the secret, mode 0600.")
@options.common
def salt(session: Session, release: ReleaseName, source: Path | None, out: Path | None) -> None:
    """Export or import the salt that keys the public digests of a private RELEASE.

    Centers with the same salt publish the same digests, and reviewers on site need it. Never
    publish it.

    \b
    Examples:
      samebits review salt acme/engine@4.2 --out engine.salt
      samebits review salt acme/engine@4.2 --import engine.salt
    """
    from pipelines.evidence.salt import Salt, keep_salt, release_salt

    if (source is None) == (out is None):
        raise UsageError("give one file for the secret", expected="--out or --import")
    if source is not None:
        data = read_small_file(source, limit=256, file=str(source))
        keep_salt(session.store, release, Salt.parse(data.decode("ascii", errors="replace")))
        show(
            {"release": str(release), "file": str(source)},
            f"the salt of {release} is imported",
        )
    elif out is not None:
        secret = release_salt(session.store, release).to_text()
        options.require_new(out)
        with options.file_errors(out, "written"):
            fd = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w") as stream:
                stream.write(secret)
        show(
            {"release": str(release), "file": str(out)},
            f"{out} is secret: with it anybody can try guesses at the source of {release}",
        )

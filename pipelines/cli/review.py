"""`samebits review`: signed reviews of exactly one source and one claim."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builders.core.errors import SamebitsError, UsageError
from pipelines.cli.keyfile import key_path, open_key
from pipelines.cli.options import (
    PATH,
    center_option,
    confirm,
    json_option,
    open_session,
    print_json,
)

if TYPE_CHECKING:
    from pipelines.evidence.privatekey import PrivateKey
    from pipelines.evidence.publickey import PublicKey
    from pipelines.verify.review_subject import ReviewSubject
    from pipelines.verify.session import Session

_RECIPE = click.argument("recipe", type=PATH)
_KEY = click.option(
    "--key", "key_file", type=PATH, required=True, metavar="FILE", help="The reviewer's key."
)
_REVIEWER = click.option("--reviewer", required=True, metavar="NAME", help="As the policy has it.")
_YES = click.option("--yes", is_flag=True, help="Sign without asking.")


@click.group()
def command() -> None:
    """Approve source, withdraw that, and see what counts."""


@command.command()
@_RECIPE
@_KEY
@_REVIEWER
@_YES
@json_option
@center_option
def approve(
    recipe: Path, key_file: Path, reviewer: str, yes: bool, as_json: bool, center_file: Path | None
) -> None:
    """Sign that the source of RECIPE, as its claim builds it, was reviewed and is approved.

    The inputs are fetched into the vault, so that the source digest is that of the real bytes.
    Shown before anything is signed: the release, its claim, and the digest of every source.

    \b
    Example:
      samebits review approve netbase/6.5.yaml --key alice.key --reviewer alice
    """
    _decide("approve", recipe, key_file, reviewer, center_file, yes=yes, as_json=as_json)


@command.command()
@_RECIPE
@_KEY
@_REVIEWER
@_YES
@json_option
@center_option
def withdraw(
    recipe: Path, key_file: Path, reviewer: str, yes: bool, as_json: bool, center_file: Path | None
) -> None:
    """Sign that an approval of RECIPE's source no longer holds.

    \b
    Example:
      samebits review withdraw netbase/6.5.yaml --key alice.key --reviewer alice
    """
    _decide("withdraw", recipe, key_file, reviewer, center_file, yes=yes, as_json=as_json)


@command.command("list")
@click.argument("what", required=False, metavar="[RELEASE|RECIPE]")
@click.option(
    "--from", "origin", metavar="PLACE", help="Another store, a folder of one, or a file."
)
@json_option
@center_option
def list_(what: str | None, origin: str | None, as_json: bool, center_file: Path | None) -> None:
    """List reviews, and for a RELEASE or RECIPE which of them count under the center's policy.

    RELEASE (vendor/product@version) is taken as its last run here has it.

    \b
    Examples:
      samebits review list
      samebits review list recipes/releases/debian/netbase/6.5.yaml
      samebits review list debian/netbase@6.5 --from s3://bucket/asia

    Exit codes: 0; 2 when fewer reviewers count than are demanded, or a record cannot be read.
    """
    from pipelines.cli.reviewtable import found_in, show
    from pipelines.verify.review_subject import review_subject

    session = open_session(center_file)
    subject = review_subject(what, session) if what else None
    found = list(found_in(origin, subject, session))
    sys.exit(show(found, subject, session, as_json=as_json))


@command.command("import")
@click.argument("place", metavar="FILE|FOLDER")
@json_option
@center_option
def import_(place: str, as_json: bool, center_file: Path | None) -> None:
    """Import reviews of others: a FILE, or all in a FOLDER or store. Their form is checked.

    Whether they count is decided by the policy, whenever a release is verified.

    \b
    Examples:
      samebits review import alice.dsse.json
      samebits review import /mnt/asia/public/reviews

    Exit codes: 0 all taken in, 1 some cannot be read.
    """
    from pipelines.cli.reviewtable import reviews_from
    from pipelines.evidence.errors import EXIT_REFUSED
    from pipelines.policy.reviews.review_records import keep_review

    store = open_session(center_file).store
    rows: list[dict[str, Any]] = []
    for review in reviews_from(place):
        kept = keep_review(store, review.envelope) if review.envelope else None
        rows.append({"from": review.name, "review": kept, "fault": review.fault})
        if not as_json:
            click.echo(kept or f"NOT TAKEN  {review.name}: {review.fault}")
    if as_json:
        print_json({"reviews": rows})
    sys.exit(EXIT_REFUSED if any(row["fault"] for row in rows) else 0)


@command.command()
@click.argument("name")
@click.option("--out", type=PATH, metavar="FILE", help="The private key; by default NAME.key.")
@json_option
def key(name: str, out: Path | None, as_json: bool) -> None:
    """Make a reviewer's Ed25519 key: FILE (private, mode 0600), and the public part as .pub.

    \b
    Example:
      samebits review key alice --out alice.key
    """
    from pipelines.evidence.privatekey import create_key

    path = key_path(out or Path(f"{name}.key"))
    made = create_key(path.parent, path.stem).public
    public = path.with_suffix(".pub")
    if as_json:
        print_json({"reviewer": name, "keyid": made.keyid, "key": str(path), "public": str(public)})
        return
    click.echo(f"key {made.keyid}")
    click.echo(f"{path} is private; {public} goes into the policy, as the key of {name}")


@command.command()
@click.argument("release")
@click.option("--import", "source", type=PATH, metavar="FILE", help="Import another center's.")
@click.option("--out", type=PATH, metavar="FILE", help="New file for the secret, mode 0600.")
@center_option
def salt(release: str, source: Path | None, out: Path | None, center_file: Path | None) -> None:
    """Export or import the salt that keys the public digests of a private RELEASE.

    Centers that share it tell the same digests; reviewers on site are shown it. Never publish it.

    \b
    Examples:
      samebits review salt acme/engine@4.2 --out engine.salt
      samebits review salt acme/engine@4.2 --import engine.salt
    """
    from builders.core.smallfile import read_small_file
    from pipelines.evidence.release import ReleaseName
    from pipelines.evidence.salt import Salt, keep_salt, release_salt

    if (source is None) == (out is None):
        raise UsageError("say where the secret goes, or comes from", expected="--out or --import")
    name = ReleaseName.parse(release)
    store = open_session(center_file).store
    if source is not None:
        data = read_small_file(source, limit=256, file=str(source))
        keep_salt(store, name, Salt.parse(data.decode("ascii", errors="replace")))
        click.echo(f"the salt of {name} is here")
    elif out is not None:
        _write_secret(out, release_salt(store, name).to_text())
        click.echo(f"{out} is secret: with it anybody can try guesses at the source of {name}")


def _decide(
    word: str,
    recipe: Path,
    key_file: Path,
    reviewer: str,
    center_file: Path | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from datetime import UTC, datetime

    from builders.core.yamlfile import read_text
    from pipelines.cli.lint import draft_notes
    from pipelines.evidence.statements.review import Decision
    from pipelines.policy.reviews.review_signing import sign_reviews
    from pipelines.verify.review_subject import recipe_subject

    session = open_session(center_file)
    private = open_key(key_file)
    subject = recipe_subject(recipe, session)
    _show_subject(word, subject, reviewer, private)
    if draft_notes(read_text(recipe)):
        lint = f"`samebits recipe lint {recipe}` shows which values were inferred"
        click.echo(f"  draft     this recipe is one: {lint}", err=True)
    if not yes and not confirm(f"{word} this?"):
        raise UsageError("nothing was signed", got="another answer", expected="y, or --yes")
    names = sign_reviews(
        subject.reviewed,
        session.store,
        key=private,
        reviewer=reviewer,
        decision=Decision(word),
        now=datetime.now(UTC),
    )
    why = _not_counted(private.public, reviewer, session)
    if as_json:
        decided = {"decision": word, "reviewer": reviewer, "reviews": names, "not_counted": why}
        print_json({**subject.to_dict(), **decided})
    else:
        for name in names:
            click.echo(name)
    if why:
        click.echo(f"samebits: it does not count under the policy here: {why}", err=True)


def _not_counted(key: PublicKey, reviewer: str, session: Session) -> str | None:
    """Return why reviews with that key do not count under the center's policy, None if they can."""
    from datetime import UTC, datetime

    from pipelines.policy.reviews.count import ReviewExclusion, key_exclusion

    try:
        policy = session.policy(datetime.now(UTC))
    except SamebitsError as error:  # what is signed stays signed
        return f"that policy cannot be used: {error.what}"
    fault = key_exclusion(key, reviewer, policy)
    if fault in {ReviewExclusion.UNKNOWN_KEY, ReviewExclusion.NAME_OF_ANOTHER}:
        return f"{fault}; it does once the policy names {reviewer} as a reviewer with that key"
    return str(fault) if fault else None


def _show_subject(word: str, subject: ReviewSubject, reviewer: str, private: PrivateKey) -> None:
    click.echo(f"{word}: {subject.release} ({subject.visibility})", err=True)
    for source in subject.sources:
        digest = source.source_digest
        click.echo(f"  source    {digest}  {source.locator}, sha256 {source.sha256}", err=True)
    click.echo(f"  claim     {subject.claim}", err=True)
    click.echo(f"  reviewer  {reviewer}, key {private.public.keyid}", err=True)


def _write_secret(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    import os

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written", got=error.strerror, expected="a new file"
        ) from error

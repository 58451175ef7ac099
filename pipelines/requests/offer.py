"""What a center can be asked, and by whom: a record that it renews whenever that changes.

A center answers no stranger, so whoever asks with an unknown key would wait in vain. The offer says
so before anything is asked. It is a note without a signature and decides nothing, since the center
checks every request itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from builders.core.digest import Digest
from builders.core.errors import NotFoundError, StoreConflictError, UsageError
from builders.core.frozen_model import FrozenModel
from builders.core.similar import did_you_mean, with_suggestion
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.people import RecipeRelease, Reviewer
from pipelines.evidence.statements.statement import Identifier
from pipelines.policy import Policy
from pipelines.requests.handler import RequestHandler
from pipelines.storage import files as durable
from pipelines.storage.names import check_key, check_prefix, decode, encode
from pipelines.storage.store import DamagedError, Store

MAX_OFFER = 16 << 20
_ROOT = "public/offers/"
_TODO = "--unchecked asks all the same"


class Offer(FrozenModel):
    """Who may ask a center, and for which releases."""

    schema_: Literal["samebits/offer/v1"] = Field(default="samebits/offer/v1", alias="schema")
    center: Identifier
    requesters: dict[Reviewer, tuple[str, ...]]
    """The key ids of each, without revoked ones."""
    releases: tuple[RecipeRelease, ...]

    def check(self, *, release: str, requester: str, keyid: str) -> None:
        """Raise `UsageError` for what the center would not answer, or refuse."""
        names = {key: name for name, keys in self.requesters.items() for key in keys}
        if keyid not in names:
            raise UsageError(
                f"center {self.center} does not know this key, and answers no stranger",
                got=f"key {keyid[:16]}",
                expected=f"a key of one of its reviewers: {_listed(self.requesters)}",
                todo=f"Its operators add a reviewer's key to their policy; {_TODO}",
            )
        if names[keyid] != requester:
            raise UsageError(
                f"center {self.center} knows this key under another name",
                got=ascii(requester),
                expected=names[keyid],
                todo=f"Did you mean --requester {names[keyid]}?",
            )
        if release not in self.releases:
            raise UsageError(
                f"center {self.center} has no recipe of that release",
                got=release,
                expected=f"one of its {len(self.releases)} releases",
                todo=with_suggestion(_TODO, did_you_mean(release, self.releases)),
            )


def offer_of(center: str, policy: Policy, recipes: Path) -> Offer:
    """Return what a center can be asked, whose policy is `policy`.

    `recipes` is the folder of `<vendor>/<product>/<version>.yaml`; whether each can be used is not
    looked at.
    """
    found = set()
    for path in recipes.glob("*/*/*.yaml"):
        vendor, product, file = path.relative_to(recipes).parts
        with suppress(UsageError):  # a file that is no recipe
            version = file.removesuffix(".yaml")
            found.add(str(ReleaseName(vendor=vendor, product=product, version=version)))
    return Offer(
        center=center,
        requesters={
            name: tuple(sorted(key.keyid for key in keys))
            for name, keys in sorted(policy.reviewer_keys().items())
        },
        releases=tuple(sorted(found)),
    )


def publish_offer(handler: RequestHandler, now: datetime) -> None:
    """Store what a center can be asked, if it is not what was stored last. Raises `StoreError`."""
    offer = offer_of(handler.center, handler.policy, handler.recipes)
    data = offer.model_dump_json(by_alias=True).encode()
    told = handler.home / "offer"
    with suppress(FileNotFoundError):
        if told.read_text() == str(Digest.of(data)):
            return
    moment = now.astimezone(UTC)
    key = check_key(f"{_place(handler.center)}{moment:%Y%m%dT%H%M%SZ}.json")
    try:
        handler.store.put_record(key, data)
    except StoreConflictError:  # another host of the center was as fast; the next look compares
        return
    handler.home.mkdir(parents=True, exist_ok=True)
    durable.replace(told, str(Digest.of(data)).encode())


def newest_offer(store: Store, center: str) -> Offer | None:
    """Return the newest offer of a center; None without one. Raises `StoreError`."""
    key = max(store.list(_place(center)), default=None)
    if key is None:
        return None
    try:
        found = Offer.model_validate_json(store.get(key, MAX_OFFER))
    except (ValidationError, NotFoundError) as error:
        raise DamagedError(f"{key} is damaged", got=type(error).__name__) from error
    return found if found.center == center else None


def centers_of(store: Store) -> list[str]:
    """Return the centers that have an offer in a store; raises `StoreError`."""
    segments = {key.removeprefix(_ROOT).partition("/")[0] for key in store.list(_ROOT)}
    found = []
    for segment in sorted(segments):
        with suppress(UsageError):
            found.append(decode(segment))
    return found


def check_asked(store: Store, *, center: str, release: str, requester: str, keyid: str) -> bool:
    """Check by the newest offer that a request would be answered; False where there is no offer.

    Raises `UsageError` for an unknown center, key, name or release, and `StoreError`.
    """
    offer = newest_offer(store, center)
    if offer is None:
        if not (known := centers_of(store)):
            return False
        raise UsageError(
            "the center does not look for requests in this store",
            got=ascii(center),
            expected=f"one that does: {_listed(known)}",
            todo=with_suggestion(_TODO, did_you_mean(center, known)),
        )
    offer.check(release=release, requester=requester, keyid=keyid)
    return True


def _listed(names: Iterable[str]) -> str:
    shown = [ascii(name)[1:-1] for name in islice(names, 10)]
    return ", ".join(shown) or "it has none"


def _place(center: str) -> str:
    return check_prefix(f"{_ROOT}{encode(center)}/")

"""A center that continues another one, whose log has ended: new id, home, store, keys and log.

The origin of a log follows from the center's id, and two logs of one origin would be a fork. So the
successor is a center of its own, of the same operator, with a center file made from the other's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from builders.core.errors import UsageError
from builders.core.yamlfile import load_document
from pipelines.center.center import Center, load_center
from pipelines.center.file import local_policy_file
from pipelines.center.keys import OPERATOR, center_key, log_key, policy_file
from pipelines.center.logs import cosigned_trees
from pipelines.center.next_policy import NextPolicy, operator_key, publish_next
from pipelines.evidence.privatekey import KEY_USES, create_key
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.log_reader import published
from pipelines.log.notekey import COSIGNATURE, NoteKey
from pipelines.policy import Policy, PolicyCenter, load_policy
from pipelines.policy.key_changes import with_successor
from pipelines.policy.model import CenterKey, PolicyLog
from pipelines.policy.signed_policy import accept, accepted
from pipelines.storage import files as durable
from pipelines.storage.opening import open_store

_NUMBER = re.compile(r"(.+)-([1-9][0-9]{0,3})")
_DROPPED = ("builder_id", "verifier_id", "pool", "store", "home")
_COPIED = ("images", "witness")
"""Folders of the home that the successor takes along."""


@dataclass(frozen=True, kw_only=True)
class Succession:
    """The end of a center's log, and the center that continues."""

    center: Center
    """The successor."""
    file: Path
    size: int
    """Leaves of the former log that count."""
    cosigned: int | None
    """Leaves that a peer has cosigned; None where no peer has any."""
    stored: int
    """Leaves that the store has."""
    policy: NextPolicy


def next_id(center: str) -> str:
    """Return the id that is proposed for the successor: `europe-2` after `europe`."""
    numbered = _NUMBER.fullmatch(center)
    return f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{center}-2"


def succeed(
    center: Center, *, id_: str, out: Path, store: str | None, until: int | None, now: datetime
) -> Succession:
    """Set up a successor of `center`, described in the new file `out`; `now` is UTC.

    `store` is the address of its store, by default made from the center's. `until` is the size at
    which the former log ends, by default what a peer has cosigned last, or else what the store has.
    Raises `UsageError` for a center without a file, with keys that are not files, or whose
    successor would use what is there, and as `load_policy` does.
    """
    document = _document(center, id_, store, out)
    policy = load_policy(policy_file(center), home=center.home, now=now)
    newest = published(open_store(center.store), LogIdentity.of(log_key(center)))
    stored = newest.checkpoint.size if newest else 0
    cosigned = max((tree.size for tree in cosigned_trees(center)), default=None)
    size = until if until is not None else stored if cosigned is None else cosigned
    operator = operator_key(center, policy) and center.key_folder / f"{OPERATOR}.key"
    heading = f"# {id_} continues center {center.id}, whose log ended at {size} leaves.\n"
    with _described(out, heading + yaml.safe_dump(document, sort_keys=False)) as successor:
        for use in KEY_USES:
            create_key(successor.key_folder, use)
        if operator:
            durable.replace(successor.key_folder / operator.name, operator.read_bytes())
        _take_along(center, successor)
        changed = with_successor(policy, center.id, size, _entry(successor, policy, center.id))
        made = publish_next(successor, policy, changed)
    return Succession(
        center=successor, file=out, size=size, cosigned=cosigned, stored=stored, policy=made
    )


def _document(center: Center, id_: str, store: str | None, out: Path) -> dict[str, Any]:
    """Return the content of the successor's file; raises `UsageError`."""
    todo = "Write a file with another id and run `samebits center init`"
    if center.file is None:
        raise UsageError(f"center {center.id} has no file to continue from", todo=todo)
    if center.key_sources:
        raise UsageError(f"keys of center {center.id} are not in its key folder", todo=todo)
    if out.absolute().parent != (folder := center.file.parent):
        raise UsageError(f"{out} is in another folder", expected=f"a file in {folder}")
    document = {k: v for k, v in load_document(center.file).data.items() if k not in _DROPPED}
    if center.policy == local_policy_file(center.home):
        document.pop("policy", None)
    document |= {"id": id_, "operator": center.operator, "home": _other(center, center.home, id_)}
    if store is None and center.store != center.home / "store":
        address = center.store if isinstance(center.store, Path) else center.store.url
        if address is None:
            raise UsageError(
                f"the store of center {center.id} has two parts",
                expected="the address of the new one: --store",
            )
        store = _other(center, address, id_)
    return document if store is None else document | {"store": store}


def _other(center: Center, address: Path | str, id_: str) -> str:
    """Return an address that differs from one of the center's by the other id."""
    folder, _, name = str(address).rstrip("/").rpartition("/")
    return f"{folder}/{id_ if name == center.id else f'{name}-{id_}'}"


@contextmanager
def _described(out: Path, text: str) -> Iterator[Center]:
    """Write the file and yield its center; nothing of it is left when the block fails."""
    durable.replace(out, text.encode(), mode=0o644)
    made = False
    try:
        successor = load_center(out)
        _require_unused(successor)
        made = True
        yield successor
    except BaseException:
        out.unlink()
        if made:
            shutil.rmtree(successor.home, ignore_errors=True)
        raise


def _require_unused(successor: Center) -> None:
    """Raise `UsageError` where the home or the store of the successor has content."""
    if successor.home.exists():
        raise UsageError(f"{successor.home} exists", expected="a home that is new: another --id")
    if key := next(open_store(successor.store).list("public/"), None):
        raise UsageError(
            "the store of the new center is in use", got=key, expected="an empty one: --store"
        )


def _take_along(center: Center, successor: Center) -> None:
    """Copy what the center knows of others, and what it has accepted."""
    for name in _COPIED:
        if (center.home / name).is_dir():
            shutil.copytree(center.home / name, successor.home / name)
    if (policy := accepted(center.home)) is not None:
        accept(successor.home, policy)


def _entry(successor: Center, policy: Policy, former: str) -> PolicyCenter:
    known = policy.center(former)
    keys: Mapping[str, Any] = {use: center_key(successor, use).public for use in KEY_USES}
    witness = NoteKey.of(f"{successor.origin}/witness", COSIGNATURE, keys["witness"])
    return PolicyCenter(
        id=successor.id,
        operator=known.operator,
        region=known.region,
        builder=successor.builder_id,
        verifier=successor.verifier_id,
        log=PolicyLog(origin=successor.origin, key=log_key(successor)),
        witness=witness,
        keys=(CenterKey(key=keys["statements"]),),
    )

"""Export of a run from the store into a bundle: everything public about it, and nothing else.

Only objects that the layout of a bundle names are read, and only below `public/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from builders.core.errors import InfrastructureError, NotFoundError, UsageError
from pipelines.bundle import Bundle
from pipelines.bundle.check import CheckResult, CheckStatus, Trust, check_bundle
from pipelines.bundle.check.given_files import named_digests
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.layout import (
    CARD,
    EVIDENCE,
    KEYS,
    MAX_BUNDLE,
    MAX_EVIDENCE,
    MAX_REPORT,
    REPORT,
    STATEMENTS,
)
from pipelines.bundle.log_members import ExportSource, log_members
from pipelines.evidence.dsse import MAX_ENVELOPE
from pipelines.evidence.statements.reader import SUFFIX
from pipelines.evidence.stored_runs import RunName
from pipelines.policy import Policy
from pipelines.storage import files as durable
from pipelines.storage.names import Visibility, cas
from pipelines.storage.store import DamagedError, Store, TooLargeError

_PAGE = 25_000


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A bundle, the result of checking it, and the digests left out for their size."""

    data: bytes
    result: CheckResult
    left_out: tuple[str, ...]


def export(
    store: Store, name: RunName, source: ExportSource, *, policy: Policy, now: datetime
) -> Exported:
    """Return the bundle of one run of the center `source`, checked as its readers will check it.

    The same run under the same checkpoint always gives the same bytes; `now` is UTC. Raises
    `NotFoundError` for a run that has no statements or is not logged yet, `KeyFileError` without
    the center's public key, and `DamagedError` when the store holds something that no reader would
    accept.
    """
    statements = _statements(store, name)
    members = {
        CARD: source.card.to_bytes(),
        **{f"{KEYS}{use}.pub": key.to_pem() for use, key in source.keys.items()},
        REPORT: store.get(name.prefix + REPORT, MAX_REPORT),
        **statements,
        **log_members(store, name, source, policy, statements, now),
    }
    trust = Trust(keys=(source.keys["statements"],), builder=source.card.builder_id)
    first = _checked(Bundle.of(members).to_bytes(), trust, name)
    evidence, left_out = _public_evidence(store, first, trust)
    data = first if not evidence else Bundle.of({**members, **evidence}).to_bytes()
    return Exported(data=data, result=check_bundle(data, trust=trust), left_out=left_out)


def write_file(path: Path, data: bytes) -> None:
    """Write a file complete or not at all; raises `UsageError`."""
    try:
        durable.replace(path, data, mode=0o644)
    except InfrastructureError as error:
        raise UsageError(f"{path} cannot be written", got=error.got) from error


def _statements(store: Store, name: RunName) -> dict[str, bytes]:
    found = {}
    for count, key in enumerate(store.list(name.prefix)):
        if count == _PAGE:
            raise DamagedError(f"{name.prefix} has too many records", expected=f"at most {_PAGE}")
        record = key.removeprefix(name.prefix)
        if record.endswith(SUFFIX) and "/" not in record:
            found[f"{STATEMENTS}{record}"] = store.get(key, MAX_ENVELOPE)
    if not found:
        raise NotFoundError(
            f"run {name.run} of {name.release} has no statements",
            got="a report alone",
            expected="signed statements beside it",
            todo="It was made before statements were signed; verify the release again",
        )
    return found


def _public_evidence(
    store: Store, data: bytes, trust: Trust
) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return what the statements name and the store has in public, and what was too large."""
    room = MAX_BUNDLE - len(data) - (1 << 20)
    found, left_out = {}, []
    for digest in sorted(named_digests(OpenedBundle(data=data, trust=trust))):
        key = cas(Visibility.PUBLIC, digest)
        if not store.has(key):
            continue
        try:
            content = store.get(key, min(room, MAX_EVIDENCE))
        except TooLargeError:
            left_out.append(str(digest))
            continue
        room -= len(content)
        found[f"{EVIDENCE}{digest}"] = content
    return found, tuple(left_out)


def _checked(data: bytes, trust: Trust, name: RunName) -> bytes:
    """Return `data` unless something in it is wrong."""
    for step in check_bundle(data, trust=trust).steps:
        if step.status is CheckStatus.WRONG:
            raise DamagedError(
                f"run {name.run} of {name.release} cannot be exported",
                got=f"{step.name}: {step.message}",
                todo="Find out who wrote these records, and verify the release again",
            )
    return data

"""Signed statements as records: the statement in an envelope, and the names of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pipelines.evidence.dsse import Envelope
from pipelines.evidence.statements import Statement, read_statement

SUFFIX = ".dsse.json"


def statement_of(envelope: Envelope) -> Statement:
    """Return the statement in an envelope; raises `MalformedError`. Nothing is verified."""
    return read_statement(envelope.payload)


def name_records(envelopes: Iterable[Envelope]) -> dict[str, Envelope]:
    """Return envelopes by the names of their records: `<kind>-<n>.dsse.json`, counted from 1."""
    seen: Counter[str] = Counter()
    found = {}
    for envelope in envelopes:
        kind = statement_of(envelope).KIND
        seen[kind] += 1
        found[f"{kind}-{seen[kind]}{SUFFIX}"] = envelope
    return found

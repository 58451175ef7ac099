"""What raises alarms, and who acknowledges them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from builders.core.digest import Digest
from builders.core.enums import Verdict
from infra.bench.madeup import MadeUpFile, MadeUpKey
from pipelines.alarms.alarm import Alarm, ListedAlarm
from pipelines.alarms.listing import with_acknowledgements
from pipelines.alarms.raised import release_alarms
from pipelines.audit.acknowledgements import acknowledgements_prefix, read_acknowledgements
from pipelines.audit.center_finding import Excluded
from pipelines.audit.source import Source
from pipelines.consensus.release_consensus import JoinedRelease
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.statements.acknowledgement import (
    Acknowledgement,
    LeafRange,
    acknowledgement_statement,
)
from tests.consensus.world import CONTENT, FILE, World

NOW = datetime(2026, 1, 5, tzinfo=UTC)
OTHER = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}


def served(content: bytes) -> dict[str, MadeUpFile]:
    """Return the files of a run that was served `content` as the shipped file."""
    mismatch = Verdict.SHIPPED_MISMATCH
    return {FILE: MadeUpFile(published=CONTENT, served=content, built=CONTENT, verdict=mismatch)}


def run_id(number: int) -> str:
    return f"202601{number:02d}T030405Z-{number:08d}"


def alarms(world: World) -> tuple[Alarm, ...]:
    joined = JoinedRelease(read=world.read(), consensus=world.consensus(), recipe=None)
    return release_alarms(joined, world.rules)


def signed(alarm: Alarm, by: str, *keys: MadeUpKey, **changes: Any) -> Envelope:
    """Return the acknowledgement of an alarm, signed by `keys`."""
    fields: dict[str, Any] = {
        "operator": by.removesuffix("-1"),
        "center": by,
        "cause": str(alarm.cause),
        "release": alarm.release,
        "leaves": [LeafRange(log=o.log, first=o.index, last=o.index) for o in alarm.leaves],
        "reason": "known, and explained",
        "acknowledged_on": NOW,
        **changes,
    }
    statement = acknowledgement_statement(Acknowledgement.model_validate(fields))
    return sign_envelope(statement.to_bytes(), *keys)


def law(operator: str) -> MadeUpKey:
    """Return the key of an operator of a `World`."""
    return MadeUpKey(f"law {operator}")


def acknowledge(world: World, alarm: Alarm, center: str, **changes: Any) -> Envelope:
    """Store and log an acknowledgement as a center and its operator make it."""
    envelope = signed(alarm, center, world[center].key, law(world[center].operator), **changes)
    put(world, center, envelope)
    return envelope


def put(world: World, center: str, envelope: Envelope, *, logged: bool = True) -> None:
    name = f"{Digest.of(envelope.to_bytes()).hex[:12]}.dsse.json"
    world[center].put(f"{acknowledgements_prefix(center)}{name}", envelope, logged=logged)


def listed(
    world: World, found: Iterable[Alarm], center: str = "ada-1"
) -> tuple[list[ListedAlarm], tuple[Excluded, ...]]:
    """Return alarms as `center` lists them, and the acknowledgements that it does not believe."""
    sources = [Source(center=site.id, store=site.store) for site in world.sites.values()]
    known, excluded = read_acknowledgements(world.reader, sources)
    rows = [with_acknowledgements(one, known, world.policy, center) for one in found]
    return rows, excluded


def states(world: World, found: Iterable[Alarm], center: str = "ada-1") -> list[str]:
    rows, _ = listed(world, found, center)
    return ["open" if row.is_open else "acknowledged" for row in rows]

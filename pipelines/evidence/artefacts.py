"""What is known of a file by its digest: every run that judged it.

Beside its report each run leaves one small record for every file that it met, so that a file is
found in a store of any size by listing one folder. Such a record only points: what is said of the
file is read from the report that it points to, and a pointer that its report does not bear out is
told as damaged. A store from before there were pointers is searched, report by report, up to a
bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED, NotFoundError, SamebitsError
from builders.core.runid import parse_run_id
from pipelines.evidence.records import DamagedRun, RunName, read_report, runs
from pipelines.evidence.release import ReleaseName
from pipelines.evidence.strictjson import read_model
from pipelines.judge.finding import exit_code_of
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import DamagedError, Store

MAX_POINTER = 4096
MAX_POINTERS = 10_000
MAX_SCANNED = 2_000


class Pointer(BaseModel):
    """Where a file was judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Annotated[Literal["samebits/artefact/v1"], Field(alias="schema")] = (
        "samebits/artefact/v1"
    )
    sha256: Digest
    vendor: str
    product: str
    version: str
    center: str
    run: str

    def to_bytes(self) -> bytes:
        """Return the record: canonical JSON."""
        return canonical_json(self.model_dump(mode="json", by_alias=True))


class Met(StrEnum):
    """As what a run met a file."""

    PUBLISHED = "published"
    SERVED = "served"
    REBUILT = "rebuilt"


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One verdict of one run on a file."""

    name: RunName
    artefact: str
    met: Met
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        release = self.name.release
        return {
            "vendor": release.vendor,
            "product": release.product,
            "version": release.version,
            "center": self.name.center,
            "run": self.name.run,
            "artefact": self.artefact,
            "met": str(self.met),
            "verdict": str(self.verdict),
        }


@dataclass(frozen=True, kw_only=True)
class Known:
    """All that is known of a file, newest first."""

    sightings: tuple[Sighting, ...]
    damaged: tuple[str, ...] = ()
    """What could not be read, and why."""
    complete: bool = True
    """False when a bound ended the search."""

    @property
    def exit_code(self) -> int:
        """That of the newest verdict of each center on each artefact; 2 when any may be missing."""
        newest: dict[tuple[object, ...], Verdict] = {}
        for seen in self.sightings:
            newest.setdefault((seen.name.release, seen.name.center, seen.artefact), seen.verdict)
        code = exit_code_of(newest.values())
        return code if code or (self.complete and not self.damaged) else EXIT_NOT_CHECKED


def put_pointers(store: Store, report: Mapping[str, Any]) -> int:
    """Write a pointer for every file in a report, as it is stored; returns how many those are.

    Written before the report: a run that breaks off between the two leaves a pointer to nothing,
    which says nothing, and never a verdict that cannot be found.
    """
    digests = {d for finding in report["artefacts"] for d, _ in _digests(finding)}
    where = {n: report[n] for n in ("vendor", "product", "version", "center", "run")}
    for digest in sorted(digests):
        pointer = Pointer(sha256=digest, **where)
        name = encode(f"{pointer.run}-{pointer.center}.json")
        store.put_record(f"{_folder(digest)}{name}", pointer.to_bytes())
    return len(digests)


def known(store: Store, digest: Digest, *, scan: int = MAX_SCANNED) -> Known:
    """Return every verdict on the file of that digest; raises `StoreError`.

    Without any pointer up to `scan` reports are read instead.
    """
    keys = list(islice(store.list(_folder(digest)), MAX_POINTERS + 1))
    if not keys:
        return _scan(store, digest, limit=scan)
    found: list[Sighting] = []
    damaged = []
    for key in reversed(keys[:MAX_POINTERS]):
        try:
            found += _follow(store, key, digest)
        except NotFoundError:
            continue  # of a run that broke off before its report, or has not come to it yet
        except SamebitsError as error:
            damaged.append(f"{key}: {error}")
    return Known(
        sightings=_newest_first(found),
        damaged=tuple(damaged),
        complete=len(keys) <= MAX_POINTERS,
    )


def _scan(store: Store, digest: Digest, *, limit: int) -> Known:
    found: list[Sighting] = []
    damaged: list[str] = []
    for count, entry in enumerate(runs(store)):
        if count == limit:
            return Known(sightings=_newest_first(found), damaged=tuple(damaged), complete=False)
        if isinstance(entry, DamagedRun):
            damaged.append(f"{entry.prefix}: {entry.reason}")
        else:
            found += _sightings(store, entry.name, digest)
    return Known(sightings=_newest_first(found), damaged=tuple(damaged))


def _follow(store: Store, key: str, digest: Digest) -> list[Sighting]:
    pointer = read_model(store.get(key, MAX_POINTER), Pointer, what=key, limit=MAX_POINTER)
    try:
        run = parse_run_id(pointer.run)
    except ValueError as error:
        raise DamagedError(f"{key} names no run", got=ascii(pointer.run[:60])) from error
    name = RunName(
        release=ReleaseName(
            vendor=pointer.vendor, product=pointer.product, version=pointer.version
        ),
        center=pointer.center,
        run=run,
    )
    found = _sightings(store, name, digest)
    if not found or key != f"{_folder(digest)}{encode(f'{run}-{pointer.center}.json')}":
        raise DamagedError(
            "a pointer is not borne out by the report that it names",
            got=f"run {run} of {name.release}",
            expected=f"an artefact with sha256 {digest}",
        )
    return found


def _sightings(store: Store, name: RunName, digest: Digest) -> list[Sighting]:
    found = []
    for finding in read_report(store, name)["artefacts"]:
        met = [how for d, how in _digests(finding) if d == digest]
        if met:
            found.append(
                Sighting(
                    name=name,
                    artefact=finding["name"],
                    met=met[0],
                    verdict=Verdict(finding["verdict"]),
                )
            )
    return found


def _digests(finding: Mapping[str, Any]) -> Iterator[tuple[Digest, Met]]:
    shipped, rebuilt = finding.get("shipped"), finding.get("rebuilt")
    places = (
        (shipped, "published", Met.PUBLISHED),
        (shipped, "sha256", Met.SERVED),
        (rebuilt, "sha256", Met.REBUILT),
    )
    for part, field, met in places:
        value = part.get(field) if isinstance(part, dict) else None
        if value is None:
            continue
        try:
            yield Digest(str(value)), met
        except ValueError as error:
            raise DamagedError(
                "a report names something else than a digest", got=ascii(str(value)[:80])
            ) from error


def _newest_first(found: list[Sighting]) -> tuple[Sighting, ...]:
    by_name = sorted(found, key=lambda s: (str(s.name.release), s.name.center, s.artefact))
    return tuple(sorted(by_name, key=lambda s: s.name.run, reverse=True))


def _folder(digest: Digest) -> str:
    return check_prefix(f"public/artefacts/{digest.hex[:2]}/{digest.hex}/")

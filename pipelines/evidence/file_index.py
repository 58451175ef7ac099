"""The index of files by digest: every run that judged a file.

Beside its report each run writes one small entry for every file in it, so that a file is found in a
store of any size by listing one folder. An entry only points: what is said of the file is read from
the report, and an entry that its report does not confirm is reported as damaged. A store without
entries for a file, as old ones are, is searched report by report, up to a limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import Field

from builders.core.digest import Digest, canonical_json
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED, NotFoundError, SamebitsError
from pipelines.evidence.stored_runs import DamagedRun, RunName, list_runs, read_report
from pipelines.evidence.strictjson import read_model
from pipelines.judge.finding import verdicts_exit_code
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import DamagedError, Store

MAX_ENTRY = 4096
MAX_ENTRIES = 10_000
MAX_SCANNED = 2_000


class IndexEntry(RunName):
    """A run that judged a file."""

    schema_: Annotated[Literal["samebits/artefact/v1"], Field(alias="schema")] = (
        "samebits/artefact/v1"
    )
    sha256: Digest

    @property
    def key(self) -> str:
        """Return the name of the entry's record."""
        return f"{_folder(self.sha256)}{encode(f'{self.run}-{self.center}.json')}"


class FileRole(StrEnum):
    """The place of a file in a report."""

    PUBLISHED = "published"
    SERVED = "served"
    REBUILT = "rebuilt"


@dataclass(frozen=True, kw_only=True)
class FileVerdict:
    """One verdict of one run on a file."""

    name: RunName
    artefact: str
    role: FileRole
    verdict: Verdict

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return self.name.to_dict() | {
            "artefact": self.artefact,
            "met": str(self.role),
            "verdict": str(self.verdict),
        }


@dataclass(frozen=True, kw_only=True)
class FileHistory:
    """All verdicts on a file, newest first."""

    verdicts: tuple[FileVerdict, ...]
    damaged: tuple[str, ...] = ()
    """Records that cannot be read, each with the reason."""
    complete: bool = True
    """False when a limit ended the search."""

    @property
    def exit_code(self) -> int:
        """That of the newest verdict of each center on each artefact; 2 when any may be missing.

        A later run that checked nothing takes no verdict away.
        """
        newest: dict[tuple[object, ...], Verdict] = {}
        for found in self.verdicts:
            key = (found.name.release, found.name.center, found.artefact)
            if newest.get(key, Verdict.NOT_CHECKED) is Verdict.NOT_CHECKED:
                newest[key] = found.verdict
        code = verdicts_exit_code(newest.values())
        return code if code or (self.complete and not self.damaged) else EXIT_NOT_CHECKED


def index_report(store: Store, report: Mapping[str, Any]) -> int:
    """Write an entry for every file in a report, as it is stored; returns how many those are.

    Call it before the report is stored: a run that stops between the two leaves entries without a
    report, which say nothing, and never a verdict that cannot be found.
    """
    digests = {d for finding in report["artefacts"] for d, _ in _digests(finding)}
    run = {field: report[field] for field in RunName.model_fields}
    for digest in sorted(digests):
        entry = IndexEntry(sha256=digest, **run)
        store.put_record(entry.key, canonical_json(entry.model_dump(mode="json", by_alias=True)))
    return len(digests)


def find_file(store: Store, digest: Digest, *, scan: int = MAX_SCANNED) -> FileHistory:
    """Return every verdict on the file of that digest; raises `StoreError`.

    Without any entry up to `scan` reports are read instead.
    """
    found: list[FileVerdict] = []
    damaged = []
    keys = list(islice(store.list(_folder(digest)), MAX_ENTRIES + 1))
    runs = [] if keys else list(islice(list_runs(store), scan + 1))
    for key in reversed(keys[:MAX_ENTRIES]):
        try:
            found += _follow(store, key, digest)
        except NotFoundError:
            continue  # of a run that has not stored its report, or never will
        except SamebitsError as error:
            damaged.append(f"{key}: {error}")
    for run in runs[:scan]:
        if isinstance(run, DamagedRun):
            damaged.append(f"{run.prefix}: {run.reason}")
        else:
            found += _verdicts(store, run.name, digest)
    found.sort(key=lambda v: (str(v.name.release), v.name.center, v.artefact))
    found.sort(key=lambda v: v.name.run, reverse=True)
    return FileHistory(
        verdicts=tuple(found),
        damaged=tuple(damaged),
        complete=len(keys) <= MAX_ENTRIES and len(runs) <= scan,
    )


def _follow(store: Store, key: str, digest: Digest) -> list[FileVerdict]:
    """Return what the report that an entry points to says of the file."""
    entry = read_model(store.get(key, MAX_ENTRY), IndexEntry, what=key, limit=MAX_ENTRY)
    found = _verdicts(store, RunName(**entry.to_dict()), digest)
    if not found or (entry.key, entry.sha256) != (key, digest):
        raise DamagedError(
            "an entry of the index is not confirmed by the report that it names",
            got=f"run {entry.run} of {entry.release}",
            expected=f"an artefact with sha256 {digest}",
        )
    return found


def _verdicts(store: Store, name: RunName, digest: Digest) -> list[FileVerdict]:
    return [
        FileVerdict(
            name=name,
            artefact=finding["name"],
            role=roles[0],
            verdict=Verdict(finding["verdict"]),
        )
        for finding in read_report(store, name)["artefacts"]
        if (roles := [role for d, role in _digests(finding) if d == digest])
    ]


def _digests(finding: Mapping[str, Any]) -> Iterator[tuple[Digest, FileRole]]:
    shipped, rebuilt = finding.get("shipped"), finding.get("rebuilt")
    for part, field, role in (
        (shipped, "published", FileRole.PUBLISHED),
        (shipped, "sha256", FileRole.SERVED),
        (rebuilt, "sha256", FileRole.REBUILT),
    ):
        value = part.get(field) if isinstance(part, dict) else None
        if value is None:
            continue
        try:
            yield Digest(str(value)), role
        except ValueError as error:
            raise DamagedError(
                "a report names something else than a digest", got=ascii(str(value)[:80])
            ) from error


def _folder(digest: Digest) -> str:
    return check_prefix(f"public/artefacts/{digest.hex[:2]}/{digest.hex}/")

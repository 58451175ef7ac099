"""The index of files by digest: every run that judged a file.

Beside its report each run writes one small entry for every file in it, so that a file is found in a
store of any size by listing one folder. An entry only says where to look.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from builders.core.digest import Digest, canonical_json
from pipelines.evidence.stored_runs import RunName
from pipelines.evidence.strictjson import read_model
from pipelines.storage.names import check_prefix, encode
from pipelines.storage.store import Store

MAX_ENTRY = 4096


class IndexEntry(RunName):
    """A run that judged a file."""

    schema_: Annotated[Literal["samebits/artefact/v1"], Field(alias="schema")] = (
        "samebits/artefact/v1"
    )
    sha256: Digest

    @property
    def key(self) -> str:
        """Return the name of the entry's record."""
        return f"{entry_folder(self.sha256)}{encode(f'{self.run}-{self.center}.json')}"


def index_report(store: Store, report: Mapping[str, Any]) -> int:
    """Write an entry for every file in a report, as it is stored; returns how many those are.

    Call it before the report is stored: a run that stops between the two leaves entries without a
    report, which say nothing, and never a verdict that cannot be found.
    """
    digests = {digest for finding in report["artefacts"] for digest in _digests(finding)}
    run = {field: report[field] for field in RunName.model_fields}
    for digest in sorted(digests):
        entry = IndexEntry(sha256=digest, **run)
        store.put_record(entry.key, canonical_json(entry.model_dump(mode="json", by_alias=True)))
    return len(digests)


def read_entry(data: bytes, key: str) -> IndexEntry:
    """Read an entry; raises `MalformedError`. That it is true is for an audit to find out."""
    return read_model(data, IndexEntry, what=key, limit=MAX_ENTRY)


def entry_folder(digest: Digest) -> str:
    """Return the folder of the entries of a file."""
    return check_prefix(f"public/artefacts/{digest.hex[:2]}/{digest.hex}/")


def _digests(finding: Mapping[str, Any]) -> Iterator[Digest]:
    shipped, rebuilt = finding.get("shipped"), finding.get("rebuilt")
    for part, field in ((shipped, "published"), (shipped, "sha256"), (rebuilt, "sha256")):
        value = part.get(field) if isinstance(part, dict) else None
        if value is not None:
            yield Digest(str(value))

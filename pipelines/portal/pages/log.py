"""The page of a center's log: its newest leaves, and by a script any leaf with its proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from pydantic import Field

from builders.core.digest import canonical_json
from builders.core.errors import StoreError
from builders.core.frozen_model import FrozenModel
from pipelines.log.errors import LogError
from pipelines.log.leaf import Leaf, StatementLeaf, own_key
from pipelines.log.log_reader import LogReader
from pipelines.log.merkle import leaf_hash
from pipelines.policy import Policy, PolicyCenter
from pipelines.portal.paths import log_path
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.read_log import LogState, ReadLog, unread

NEWEST = 50
"""Leaves that the page lists."""


class LeafRow(FrozenModel):
    """One leaf."""

    index: int
    hash: str
    """The leaf hash (RFC 6962)."""
    kind: Literal["statement", "commitment"]
    what: str
    """Of a statement the last words of its predicate type."""
    release: str | None
    """None for what belongs to no release."""
    sequence: int
    digest: str
    """Of a statement its PAE digest, of a commitment its seal."""
    run: str | None = None
    """Of a commitment."""
    page: str | None = None
    """The page of the release, where it has one."""


class LogPage(PortalPage):
    """The page."""

    TEMPLATE: ClassVar[str] = "log.html.j2"
    STYLES: ClassVar[tuple[str, ...]] = ("assets/evidence.css",)
    SCRIPTS: ClassVar[tuple[str, ...]] = ("assets/explorer.js",)
    schema_: Literal["samebits/portal/log/v1"] = Field(
        default="samebits/portal/log/v1", alias="schema"
    )
    center: str
    operator: str
    region: str
    origin: str
    key: str
    """The log's key, as C2SP signed-note writes it."""
    witness_keys: dict[str, str]
    """The keys of the witnesses that count for this log, by their names."""
    log: LogState
    newest: tuple[LeafRow, ...]
    """The newest leaves, the newest first."""

    @property
    def path(self) -> str:
        """The folder of the page; the log itself is published in it."""
        return log_path(self.center)

    @property
    def checkpoint_lines(self) -> list[str]:
        """The lines of the signed note."""
        return self.log.checkpoint.splitlines()

    @property
    def witness_keys_json(self) -> str:
        """The keys of the witnesses, for the script."""
        return canonical_json(self.witness_keys).decode()


def log_page(
    policy: Policy, member: PolicyCenter, log: ReadLog, pages: Mapping[str, str]
) -> LogPage:
    """Return the page of the log of a center; `pages` are those of releases, by their names."""
    state, rows = log.state, tuple[LeafRow, ...]()
    if log.reader is not None:
        try:
            rows = tuple(_newest(log.reader, member, pages))
        except (LogError, StoreError) as error:
            state = unread(error)
    keys = policy.witness_keys(member.id)
    return LogPage(
        center=member.id,
        operator=member.operator,
        region=member.region,
        origin=member.log.origin,
        key=str(member.log.key),
        witness_keys={name: str(key) for key, name in sorted(keys.items(), key=lambda k: k[1])},
        log=state,
        newest=rows,
    )


def _newest(reader: LogReader, member: PolicyCenter, pages: Mapping[str, str]) -> Iterator[LeafRow]:
    leaves = list(reader.leaves(max(0, reader.size - NEWEST)))
    for index, leaf in reversed(leaves):
        row = _row(index, leaf, own=own_key(member.id))
        yield row.model_copy(update={"page": pages.get(leaf.release)})


def _row(index: int, leaf: Leaf, *, own: str) -> LeafRow:
    release = None if leaf.release == own else leaf.release
    if isinstance(leaf, StatementLeaf):
        return LeafRow(
            index=index,
            hash=leaf_hash(leaf.to_bytes()).hex(),
            kind="statement",
            what="/".join(leaf.predicate_type.split("/")[-2:]),
            release=release,
            sequence=leaf.sequence,
            digest=leaf.pae.hex,
        )
    return LeafRow(
        index=index,
        hash=leaf_hash(leaf.to_bytes()).hex(),
        kind="commitment",
        what="commitment",
        release=release,
        sequence=leaf.sequence,
        digest=leaf.seal.hex,
        run=leaf.run,
    )

"""What of the generation before holds no longer, beside the pages of the releases themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.portal.digest_index import PREFIXES, shard_of
from pipelines.portal.rows import ReleaseRow
from pipelines.portal.site_state import KeptRelease, SiteState


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is made again of the site."""

    common: bool = False
    """Whether center, policy and code are those of the generation before."""
    listed: frozenset[str] = frozenset()
    """The releases that lists show in another way, or not any more."""
    shards: frozenset[str] = frozenset(PREFIXES)
    """The shards of the index of files that another release, run or bundle is in."""

    @classmethod
    def since(
        cls, before: SiteState | None, common: str, releases: Mapping[str, KeptRelease]
    ) -> Changes:
        """Compare all `releases` of now with the generation before; they have `common`.

        With another one, `before` need not have its releases any more.
        """
        if before is None or before.common != common:
            return cls(listed=frozenset(releases))
        kept = before.releases
        pairs = [(kept.get(name), releases.get(name)) for name in kept.keys() | releases.keys()]
        other = [(old, new) for old, new in pairs if old is not new]
        return cls(
            common=True,
            listed=frozenset(one.release for pair in other for one in _listed_anew(*pair)),
            shards=frozenset(shard for pair in other for shard in _shards_anew(*pair)),
        )


def _listed_anew(old: KeptRelease | None, new: KeptRelease | None) -> Iterator[KeptRelease]:
    if old and new and ReleaseRow.of(old.line) == ReleaseRow.of(new.line):
        return
    yield from filter(None, (old, new))


def _shards_anew(old: KeptRelease | None, new: KeptRelease | None) -> Iterator[str]:
    rows = ({*one.rows.split("\n")} if one and one.rows else set() for one in (old, new))
    yield from map(shard_of, next(rows) ^ next(rows))

"""Debian packages, through a private apt state and from archive roots the machine knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never
from urllib.parse import quote

from builders.core.errors import InputUnavailableError
from builders.locators.aptstate import STALE_SECONDS, AptFile, AptState, AptStates
from builders.locators.fetcher import CompanionLocator, FetchRequest, PoolLocator
from builders.locators.locator import PurlLocator

_RETRY_AGE = 600  # seconds; a failed lookup in lists that are younger stays failed
_BATCH = 200  # files in one call of apt-helper; bounded by the length of a command line

AptLocator = PurlLocator | CompanionLocator | PoolLocator


@dataclass
class _Job:
    locator: AptLocator
    target: Path
    addresses: list[str] = field(default_factory=list)


class AptFetcher:
    """Fetches `pkg:deb/...` purls, companions of a .dsc, and pool paths."""

    def __init__(self, states: AptStates) -> None:
        """Look packages up in `states`."""
        self._states = states

    def fetch(self, wants: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`."""
        jobs = []
        for index, want in enumerate(wants):
            if not handles(want):
                message = f"not a Debian locator: {want.locator}"
                raise TypeError(message)
            jobs.append(_Job(want.locator, into / f"{index:05d}"))  # type: ignore[arg-type]
        suites: dict[str, list[_Job]] = {}
        for job in jobs:
            suites.setdefault(suite_of(job.locator), []).append(job)
        for suite, members in suites.items():
            state = self._states.of(suite)
            with state.locked():
                _resolve(state, members)
                _download(state, members)
        for job in jobs:
            if not job.target.is_file():
                raise InputUnavailableError(
                    f"{job.locator} is not served",
                    got="no such file from any archive root that this machine knows",
                    todo="Bring it with `samebits vault import`, or configure a snapshot mirror",
                )
        return [job.target for job in jobs]


def handles(want: FetchRequest) -> bool:
    """Say whether `AptFetcher` takes this locator."""
    match want.locator:
        case PurlLocator(type="deb") | CompanionLocator() | PoolLocator():
            return True
        case _:
            return False


def suite_of(locator: AptLocator) -> str:
    """Return the suite whose lists name `locator`."""
    match locator:
        case PurlLocator():
            return locator.distro
        case CompanionLocator():
            return locator.source.distro
        case PoolLocator():
            return locator.suite
        case _:
            assert_never(locator)


def _resolve(state: AptState, jobs: Sequence[_Job]) -> None:
    """Give every job its addresses; lists that miss one are fetched anew, once."""
    for job in jobs:
        if isinstance(job.locator, PoolLocator):
            path = quote(str(job.locator.path))
            job.addresses = [root + path for root in state.roots()]
    asked = [job for job in jobs if not isinstance(job.locator, PoolLocator)]
    if asked:
        state.refresh(older_than=STALE_SECONDS)
        _look_up(state, asked)
        missing = [job for job in asked if not job.addresses]
        if missing and state.age() > _RETRY_AGE:
            state.refresh()
            _look_up(state, missing)


def _look_up(state: AptState, jobs: Sequence[_Job]) -> None:
    plain = [job for job in jobs if _binary(job.locator)]
    names = dict.fromkeys(
        f"{purl.name}={purl.version}" for job in plain if (purl := _binary(job.locator))
    )
    by_name = {served.name: served for served in state.binaries(list(names))}
    for job in plain:
        purl = _binary(job.locator)
        if purl and (hit := by_name.get(f"{purl.name}_{purl.version}_{purl.arch}.deb")):
            job.addresses = [hit.uri]
    sources: dict[tuple[str, str], list[AptFile]] = {}
    for job in jobs:
        if job in plain or isinstance(job.locator, PoolLocator):
            continue
        purl = job.locator.source if isinstance(job.locator, CompanionLocator) else job.locator
        key = (purl.name, purl.version)
        if key not in sources:
            sources[key] = state.source(*key)
        job.addresses = [s.uri for s in sources[key] if _is_wanted(job.locator, s.name)]


def _binary(locator: AptLocator) -> PurlLocator | None:
    return locator if isinstance(locator, PurlLocator) and locator.arch != "source" else None


def _is_wanted(locator: AptLocator, name: str) -> bool:
    if isinstance(locator, CompanionLocator):
        return name == locator.name
    return name.endswith(".dsc")


def _download(state: AptState, jobs: Sequence[_Job]) -> None:
    """Ask for every file at its first address, then for what is missing at the next, and so on."""
    rounds = max((len(job.addresses) for job in jobs), default=0)
    for turn in range(rounds):
        pairs = [
            (job.addresses[turn], job.target)
            for job in jobs
            if turn < len(job.addresses) and not job.target.exists()
        ]
        for batch in _batches(pairs):
            state.download(batch)


def _batches(pairs: Sequence[tuple[str, Path]]) -> Iterator[Sequence[tuple[str, Path]]]:
    for start in range(0, len(pairs), _BATCH):
        yield pairs[start : start + _BATCH]

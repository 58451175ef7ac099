"""Fetch Debian packages through a private apt state, from the archives that this machine knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never
from urllib.parse import quote

from builders.core.errors import InputUnavailableError
from builders.locators.aptstate import STALE_SECONDS, AptFile, AptState, AptStates
from builders.locators.fetcher import CompanionLocator, FetchRequest, PoolLocator
from builders.locators.locator import PurlLocator

_RETRY_AGE = 600  # seconds; a failed lookup in lists that are younger is not repeated
_BATCH = 200  # files in one call of apt-helper; bounded by the length of a command line

AptLocator = PurlLocator | CompanionLocator | PoolLocator


@dataclass
class _Job:
    locator: AptLocator
    target: Path
    addresses: list[str] = field(default_factory=list)


class AptFetcher:
    """Fetches `pkg:deb/...` purls, files that a .dsc names, and pool paths."""

    def __init__(self, states: AptStates) -> None:
        """Look packages up in `states`."""
        self._states = states

    def fetch(self, requests: Sequence[FetchRequest], into: Path) -> list[Path]:
        """Fetch every file; see `Fetcher`."""
        suites: dict[str, list[_Job]] = {}
        jobs = []
        for index, request in enumerate(requests):
            job = _Job(_apt_locator(request), into / f"{index:05d}")
            jobs.append(job)
            suites.setdefault(_suite(job.locator), []).append(job)
        for suite, members in suites.items():
            state = self._states.of(suite)
            with state.locked():
                _resolve(state, members)
                _download(state, members)
        for job in jobs:
            if not job.target.is_file():
                raise InputUnavailableError(
                    f"{job.locator} is not served",
                    got="no such file in any archive that this machine knows",
                    todo="Import it with `samebits vault import`, or configure a snapshot mirror",
                )
        return [job.target for job in jobs]


def _apt_locator(request: FetchRequest) -> AptLocator:
    match request.locator:
        case PurlLocator(type="deb") | CompanionLocator() | PoolLocator():
            return request.locator
        case _:
            raise TypeError(f"not a Debian locator: {request.locator}")


def _suite(locator: AptLocator) -> str:
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
    """Set the addresses of every job; if the lists lack one, they are fetched again, once."""
    listed = []
    for job in jobs:
        if isinstance(job.locator, PoolLocator):
            path = quote(str(job.locator.path))
            job.addresses = [root + path for root in state.roots()]
        else:
            listed.append(job)
    if listed:
        state.refresh(older_than=STALE_SECONDS)
        _look_up(state, listed)
        missing = [job for job in listed if not job.addresses]
        if missing and state.age() > _RETRY_AGE:
            state.refresh()
            _look_up(state, missing)


def _look_up(state: AptState, jobs: Iterable[_Job]) -> None:
    binaries: dict[str, list[_Job]] = {}
    names: dict[str, None] = {}
    sources: dict[tuple[str, str], list[AptFile]] = {}
    for job in jobs:
        match job.locator:
            case PurlLocator(name=name, version=version, arch=arch) if arch != "source":
                names[f"{name}={version}"] = None
                binaries.setdefault(f"{name}_{version}_{arch}.deb", []).append(job)
            case PurlLocator() as purl:
                files = _source(state, purl, sources)
                wanted = purl.file_name or f"{purl.name}_{_without_epoch(purl.version)}.dsc"
                job.addresses = [file.uri for file in files if file.name == wanted]
            case CompanionLocator(source=purl, name=name):
                files = _source(state, purl, sources)
                job.addresses = [file.uri for file in files if file.name == name]
    for file in state.binaries(list(names)):
        for job in binaries.get(file.name, ()):
            job.addresses = [file.uri]


def _without_epoch(version: str) -> str:
    return version.partition(":")[2] or version


def _source(
    state: AptState, purl: PurlLocator, known: dict[tuple[str, str], list[AptFile]]
) -> list[AptFile]:
    key = (purl.name, purl.version)
    if key not in known:
        known[key] = state.source(*key)
    return known[key]


def _download(state: AptState, jobs: Sequence[_Job]) -> None:
    """Request every file at its first address, then the missing ones at the next, and so on."""
    rounds = max((len(job.addresses) for job in jobs), default=0)
    for turn in range(rounds):
        pairs = [
            (job.addresses[turn], job.target)
            for job in jobs
            if turn < len(job.addresses) and not job.target.exists()
        ]
        for start in range(0, len(pairs), _BATCH):
            state.download(pairs[start : start + _BATCH])

"""A file looked up at a portal: the bundles about it are fetched, and checked here.

Nothing that the portal says is believed: a bundle counts by its own signatures and proofs, under
the policy of the reader. A portal can leave bundles out, so it can keep a mismatch from its reader:
a file is reproduced only if bundles of as many operators and regions as the policy asks for are
here, and none of those that are here says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import Field, StringConstraints

from builders.core.digest import Digest, digest_file, keyed_digest
from builders.core.enums import Verdict
from builders.core.errors import EXIT_NOT_CHECKED, InfrastructureError, UsageError
from builders.core.frozen_model import FrozenModel
from builders.core.smallfile import read_small_file
from pipelines.audit.center_finding import MATCHES
from pipelines.bundle import MAX_BUNDLE
from pipelines.bundle.check import CheckResult, CheckStatus, GivenFile, Trust, check_bundle
from pipelines.consensus.file_check import FileRole
from pipelines.evidence.strictjson import read_model
from pipelines.judge.finding import EXIT_FAILED
from pipelines.policy import ConsensusRules, PolicyCenter, open_policy
from pipelines.policy.independence import independent_regions

MAX_SHARD = 64 << 20
MAX_BUNDLES = 200
"""Bundles about one file that are fetched at most."""
SECONDS = 60
"""For which a portal may be silent."""
_BUNDLE = r"^bundles(/(?!\.{1,2}(/|$))[A-Za-z0-9%_.+~-]{1,255}){1,12}$"
_BundlePath = Annotated[str, StringConstraints(pattern=re.compile(_BUNDLE), max_length=900)]
_Text = Annotated[str, StringConstraints(max_length=1000)]
Get = Callable[[str, int], bytes]
"""Returns the file at a path of the portal, of so many bytes at most."""


class IndexedBundle(FrozenModel):
    """A bundle that the index names."""

    center: _Text
    run: _Text
    path: _BundlePath
    bases: Annotated[tuple[_BundlePath, ...], Field(max_length=100)] = ()


class IndexedFile(FrozenModel):
    """What the index has about a file; none of it is believed."""

    release: _Text
    page: _Text
    artefact: _Text
    role: FileRole
    bundles: Annotated[tuple[IndexedBundle, ...], Field(max_length=1000)]


class _Shard(FrozenModel):
    schema_: Annotated[Literal["samebits/portal/files/v1"], Field(alias="schema")]
    prefix: _Text
    files: dict[_Text, tuple[IndexedFile, ...]]


class BundleAnswer(StrEnum):
    """What a bundle says of the file."""

    MATCHES = "matches"
    DIFFERS = "differs"
    NOT_CHECKED = "not-checked"
    UNPROVEN = "unproven"
    """Some check could not be made, so it proves nothing."""
    REFUSED = "refused"
    """Something in it is wrong."""


@dataclass(frozen=True, kw_only=True)
class CheckedBundle:
    """A bundle that was fetched, and what its check says."""

    path: str
    result: CheckResult
    operator: str | None
    """Who runs its center, by the policy; None for a bundle that proves nothing."""
    region: str | None

    @property
    def answer(self) -> BundleAnswer:
        """What it says of the file, whatever it says of other files of the release."""
        statuses = {step.status for step in self.result.steps}
        if CheckStatus.WRONG in statuses:
            return BundleAnswer.REFUSED
        verdict = self.result.files[0].verdict if self.result.files else None
        if CheckStatus.UNCHECKED in statuses or verdict is None:
            return BundleAnswer.UNPROVEN
        if verdict is Verdict.NOT_CHECKED:
            return BundleAnswer.NOT_CHECKED
        return BundleAnswer.MATCHES if verdict in MATCHES else BundleAnswer.DIFFERS

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "path": self.path,
            "operator": self.operator,
            "answer": str(self.answer),
            **self.result.model_dump(mode="json", by_alias=True),
        }


@dataclass(frozen=True, kw_only=True)
class PortalCheck:
    """What the bundles of a portal prove of a file."""

    portal: str
    bundles: tuple[CheckedBundle, ...]
    left_out: int
    """Bundles that were not fetched, since there are too many."""
    rules: ConsensusRules
    """The strictest that the policy has for any kind."""

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that match."""
        return tuple(sorted({operator for operator, _ in self._places()}))

    @property
    def regions(self) -> int:
        """In how many regions, of which each operator counts for one."""
        return independent_regions(self._places())

    def _places(self) -> Iterator[tuple[str, str]]:
        """Yield operator and region of each match."""
        for one in self.bundles:
            if one.answer is BundleAnswer.MATCHES and one.operator and one.region:
                yield one.operator, one.region

    @property
    def exit_code(self) -> int:
        """1 if a bundle is wrong or says otherwise; 0 if enough operators match; else 2."""
        if any(b.answer in {BundleAnswer.REFUSED, BundleAnswer.DIFFERS} for b in self.bundles):
            return EXIT_FAILED
        enough = 1 <= self.rules.k <= len(self.operators) and self.regions >= self.rules.regions
        return 0 if enough and not self.left_out else EXIT_NOT_CHECKED

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "portal": self.portal,
            "bundles": [one.to_dict() for one in self.bundles],
            "left_out": self.left_out,
            "matched": list(self.operators),
            "regions": self.regions,
            "k": self.rules.k,
            "minimum_regions": self.rules.regions,
            "exit_code": self.exit_code,
        }


class Portal:
    """A portal: its address, or a folder with a copy of it; close it afterwards."""

    def __init__(self, address: str) -> None:
        """Take an address that begins with http:// or https://, or a folder.

        Raises `UsageError` for anything else.
        """
        self.address = address
        self._client: httpx.Client | None = None
        self._folder = Path(address)
        try:
            if address.startswith(("http://", "https://")):
                # Redirects are not followed: the reader has named this portal, and no other.
                self._client = httpx.Client(base_url=address, timeout=SECONDS)
                return
        except httpx.InvalidURL as error:
            raise _not_a_portal(address) from error
        if not self._folder.is_dir():
            raise _not_a_portal(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.close()

    def get(self, path: str, limit: int) -> bytes:
        """Return a file; raises `InfrastructureError` for one that is not there, or too large."""
        if self._client is None:
            return read_small_file(self._folder / path, limit=limit, file=path)
        found = bytearray()
        try:
            with self._client.stream("GET", path.replace("%", "%25")) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise self._error(path, f"status {answer.status_code}")
                for piece in answer.iter_bytes():
                    found += piece
                    if len(found) > limit:
                        raise self._error(path, f"more than {limit} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._error(path, f"{type(error).__name__}: {error}") from error
        return bytes(found)

    def _error(self, path: str, got: str) -> InfrastructureError:
        return InfrastructureError(
            f"{self.address} has no such file of a portal",
            got=f"{got} for {path}",
            todo="Name the folder of the portal's first page",
        )


def _not_a_portal(address: str) -> UsageError:
    expected = "http://, https:// or a folder"
    return UsageError("not a portal", got=ascii(address[:200]), expected=expected)


def check_at_portal(
    portal: Portal,
    file: Path,
    *,
    policy: bytes,
    now: datetime,
    count: Callable[[int, int], None] = lambda _done, _total: None,
) -> PortalCheck:
    """Look a file up, and check every bundle about it under a signed policy at `now` (UTC).

    `count` is told how many bundles are checked, of how many. Raises `InfrastructureError` for a
    portal that does not answer, `EvidenceError` for its index and for the policy.
    """
    trusted = open_policy(policy, now=now).policy
    digest = digest_file(file)
    given = GivenFile(name=file.name, sha256=digest, keyed=partial(keyed_digest, path=file))
    trust = Trust(policy=policy, now=now)
    centers = {center.id: center for center in trusted.centers}
    listed = {one.path: one for row in listed_files(portal.get, digest) for one in row.bundles}
    taken = list(listed.values())[:MAX_BUNDLES]
    checked = []
    for done, one in enumerate(taken):
        count(done, len(taken))
        bases = [portal.get(path, MAX_BUNDLE) for path in one.bases]
        data = portal.get(one.path, MAX_BUNDLE)
        result = check_bundle(data, trust=trust, files=[given], bases=bases)
        checked.append(_checked(one, result, centers))
    return PortalCheck(
        portal=portal.address,
        bundles=tuple(checked),
        left_out=len(listed) - len(taken),
        rules=trusted.rules(None),
    )


def listed_files(get: Get, digest: Digest) -> tuple[IndexedFile, ...]:
    """Return what the index of a portal has about a file; raises as `check_at_portal` does."""
    name = f"files/{digest.hex[:2]}.json"
    shard = read_model(get(name, MAX_SHARD), _Shard, what=name, limit=MAX_SHARD)
    return shard.files.get(digest.hex, ())


def _checked(
    listed: IndexedBundle, result: CheckResult, centers: dict[str, PolicyCenter]
) -> CheckedBundle:
    member = centers.get(result.center or "")
    return CheckedBundle(
        path=listed.path,
        result=result,
        operator=member.operator if member else None,
        region=member.region if member else None,
    )

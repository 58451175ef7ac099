"""A file looked up at a portal: the bundles about it are fetched, and checked here.

Nothing that the portal says is believed: a bundle counts by its own signatures and proofs, under
the policy of the reader. The findings in those that prove all that they say are joined as a center
joins them, by claim and scope. What bundles do not have is missing: cross-checks, so that a policy
which asks for proofs of work confirms nothing here, and the base of an update, which is checked and
not joined. A portal can leave bundles out, so it can keep a mismatch from its reader.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import Field, StringConstraints

from builders.core.digest import Digest, digest_file, keyed_digest
from builders.core.enums import Kind, Verdict
from builders.core.errors import EXIT_NOT_CHECKED, InfrastructureError, UsageError
from builders.core.frozen_model import FrozenModel
from builders.core.smallfile import read_small_file
from pipelines.audit.center_finding import MATCHES, CenterFinding
from pipelines.bundle import MAX_BUNDLE
from pipelines.bundle.check import CheckResult, CheckStatus, GivenFile, Trust, check_bundle
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.consensus.consensus_result import Consensus, consensus_exit_code
from pipelines.consensus.file_check import FileRole
from pipelines.consensus.join import join
from pipelines.consensus.subjects import subjects_of
from pipelines.evidence.statements.consensus_results import Proof
from pipelines.evidence.strictjson import read_model
from pipelines.judge.finding import EXIT_FAILED
from pipelines.policy import Policy, open_policy

MAX_SHARD = 64 << 20
MAX_BUNDLES = 200
"""Bundles about one file that are fetched at most."""
SECONDS = 60
"""For which a portal may be silent."""
MAX_SECONDS = 3600
"""In which it has to have sent everything that is read of it."""
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
    findings: tuple[CenterFinding, ...] = ()
    """Those about the file; none where the bundle does not prove all that it says."""
    kind: Kind | None = None
    """Of the release, as the provenance has it."""

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
        document = self.result.model_dump(mode="json", by_alias=True)
        return {"path": self.path, "answer": str(self.answer), **document}


@dataclass(frozen=True, kw_only=True)
class PortalCheck:
    """What the bundles of a portal prove of a file."""

    portal: str
    sha256: Digest
    """Of the file, as it was looked up."""
    bundles: tuple[CheckedBundle, ...]
    left_out: int
    """Bundles that were not fetched, since there are too many."""
    consensus: tuple[tuple[str, Consensus], ...]
    """Of each release that published the file."""

    @property
    def exit_code(self) -> int:
        """1 if a bundle is wrong or an operator dissents; 0 if all is confirmed; else 2."""
        found = [one for _, one in self.consensus]
        refused = any(one.answer is BundleAnswer.REFUSED for one in self.bundles)
        code = consensus_exit_code(found)
        if refused or code == EXIT_FAILED or any(one.dissenting for one in found):
            return EXIT_FAILED
        return EXIT_NOT_CHECKED if self.left_out else code

    def to_dict(self) -> dict[str, Any]:
        """Return it for `--json`."""
        return {
            "portal": self.portal,
            "sha256": str(self.sha256),
            "bundles": [one.to_dict() for one in self.bundles],
            "left_out": self.left_out,
            "consensus": [{"release": release, **one.to_dict()} for release, one in self.consensus],
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
        self._until = time.monotonic() + MAX_SECONDS
        try:
            if address.startswith(("http://", "https://")):
                # Redirects are not followed: the reader has named this portal, and no other.
                self._client = httpx.Client(
                    base_url=address, timeout=SECONDS, headers={"Accept-Encoding": "identity"}
                )
                return
        except httpx.InvalidURL as error:
            raise _not_a_portal(address) from error
        if not self._folder.is_dir():
            raise _not_a_portal(address)
        if (current := self._folder / "current").is_dir():  # as `portal build` leaves it
            self._folder = current

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
        found = Future[bytes]()
        # One that hangs is left behind: whoever sends a byte now and then is never silent.
        threading.Thread(
            target=self._fetch, args=(self._client, path, limit, found), daemon=True
        ).start()
        try:
            return found.result(timeout=max(self._until - time.monotonic(), 0))
        except TimeoutError as error:
            raise self._error(path, "no answer in time") from error

    def _fetch(self, client: httpx.Client, path: str, limit: int, found: Future[bytes]) -> None:
        try:
            found.set_result(self._answer(client, path, limit))
        except Exception as error:  # noqa: BLE001  # raised where it is waited for
            found.set_exception(error)

    def _answer(self, client: httpx.Client, path: str, limit: int) -> bytes:
        found = bytearray()
        try:
            with client.stream("GET", path.replace("%", "%25")) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise self._error(path, f"status {answer.status_code}")
                encoding = answer.headers.get("content-encoding", "identity")
                if encoding != "identity":  # a piece of it may have any size
                    raise self._error(path, f"the encoding {encoding}")
                for piece in answer.iter_raw():
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
    listed = {one.path: one for row in listed_files(portal.get, digest) for one in row.bundles}
    taken = list(listed.values())[:MAX_BUNDLES]
    checked = []
    for done, one in enumerate(taken):
        count(done, len(taken))
        data, *bases = _together(portal, [one.path, *one.bases])
        result = check_bundle(data, trust=trust, files=[given], bases=bases)
        checked.append(_checked(one.path, data, trust, result, digest))
    return PortalCheck(
        portal=portal.address,
        sha256=digest,
        bundles=tuple(checked),
        left_out=len(listed) - len(taken),
        consensus=tuple(join_bundles(checked, trusted)),
    )


def _together(portal: Portal, paths: Iterable[str]) -> Iterator[bytes]:
    """Yield files that together are no larger than the largest bundle."""
    left = MAX_BUNDLE
    for path in paths:
        data = portal.get(path, left)
        left -= len(data)
        yield data


def listed_files(get: Get, digest: Digest) -> tuple[IndexedFile, ...]:
    """Return what the index of a portal has about a file; raises as `check_at_portal` does."""
    name = f"files/{digest.hex[:2]}.json"
    shard = read_model(get(name, MAX_SHARD), _Shard, what=name, limit=MAX_SHARD)
    return shard.files.get(digest.hex, ())


def _checked(
    path: str, data: bytes, trust: Trust, result: CheckResult, digest: Digest
) -> CheckedBundle:
    """Return a bundle with the findings on a file that it proves."""
    checked = CheckedBundle(path=path, result=result)
    if checked.answer in {BundleAnswer.REFUSED, BundleAnswer.UNPROVEN}:
        return checked
    opened = OpenedBundle(data=data, trust=trust)
    about = (one for one in opened.run_findings.findings if one.published == digest)
    made = opened.provenance
    return replace(
        checked,
        findings=tuple(replace(one, work=Proof.NONE) for one in about),
        kind=made.predicate.build_definition.external_parameters.kind if made else None,
    )


def join_bundles(
    bundles: Iterable[CheckedBundle], policy: Policy
) -> Iterator[tuple[str, Consensus]]:
    """Yield the consensus of what the bundles prove, by release; of each file in it one.

    Where they do not agree on the kind of the release, the strictest rules count.
    """
    by_release: dict[str, list[CheckedBundle]] = defaultdict(list)
    for one in bundles:
        if one.findings and one.result.release:
            by_release[one.result.release].append(one)
    for release, found in sorted(by_release.items()):
        kinds = {one.kind for one in found}
        rules = policy.rules(kinds.pop() if len(kinds) == 1 else None)
        findings = [finding for one in found for finding in one.findings]
        unwitnessed = not policy.requires_witnesses
        for subject in subjects_of(findings):
            of_file = [one for one in findings if one.artefact == subject.artefact]
            yield release, join(subject, of_file, rules, unwitnessed=unwitnessed)

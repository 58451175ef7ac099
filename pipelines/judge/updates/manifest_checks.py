"""Whether a manifest says of our bytes what is so, and belongs to this release and no other.

Pure: it compares what a reader returned with files that trusted code has hashed. The first fault
that holds is named; a manifest without one has at least one field that was computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.updates.manifest_format import ManifestFact, VendorClaim, vendor_claim
from pipelines.judge.updates.manifests.manifest_content import ListedFile, ManifestContent
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
_LISTS = {
    ManifestName.TUF_SNAPSHOT: ManifestName.TUF_TARGETS,
    ManifestName.TUF_TIMESTAMP: ManifestName.TUF_SNAPSHOT,
}
"""Formats of manifests that list manifests, and which."""


@dataclass(frozen=True, kw_only=True)
class OurFile:
    """What stands for a file of the release: our bytes, or a manifest that is judged by itself."""

    size: int
    digest: Callable[[str], str]
    """Returns the digest in hexadecimal by the name of an algorithm."""
    manifest: ManifestContent | None = None
    """What it says, if it is a manifest."""


@dataclass(frozen=True, kw_only=True)
class ManifestRelease:
    """The release that a manifest has to be of."""

    version: str
    files: Mapping[str, OurFile | None] = field(hash=False)
    """By name: artefacts but the manifest itself, and other outputs; None where none was built."""
    required: Mapping[ManifestName | None, frozenset[str]] = field(hash=False)
    """Names of artefacts by the format of a manifest; None are files that are none."""
    previous: ManifestContent | None = None
    first_seen: datetime


def check_manifest(
    content: ManifestContent, declared: DeclaredManifest, release: ManifestRelease
) -> ManifestFact:
    """Return what holds of a manifest; raises `UpdateError` with the fault."""
    if content.expires is not None and content.expires <= release.first_seen:
        what = f"it expired on {content.expires}, and was first fetched on {release.first_seen}"
        raise UpdateError(UpdateFault.EXPIRED, what)
    _check_order(content, release.previous)
    stated = content.version if content.number is None else None
    if stated is not None and stated != release.version:
        what = f"a manifest of version {stated!a:.80}, the release is {release.version}"
        raise UpdateError(UpdateFault.FIELD_MISMATCH, what)
    listed = _Listed(declared, release)
    for one in content.files:
        listed.take(one)
    missing = _required(declared, release) - listed.found
    if missing:
        raise UpdateError(
            UpdateFault.UNLISTED_FILE, f"it does not list {', '.join(sorted(missing))}"
        )
    recomputed = [*(["version"] if stated is not None else []), *listed.recomputed]
    if not listed.recomputed:
        raise UpdateError(
            UpdateFault.NOTHING_RECOMPUTED, "it says nothing of a file of the release"
        )
    return ManifestFact(
        format=declared.format,
        version=content.version,
        expires=content.expires,
        recomputed=tuple(recomputed),
        kept=listed.kept,
        claims=(*content.claims, *listed.claims),
    )


def _check_order(content: ManifestContent, previous: ManifestContent | None) -> None:
    """Require a higher version than that of the manifest before, in all that it lists."""
    if previous is None or content.number is None or previous.number is None:
        return  # others have the version of their release
    before = previous.number
    if content.number < before:
        what = f"version {content.number} in place of version {before}"
        raise UpdateError(UpdateFault.DOWNGRADE, what)
    if content.number == before:
        what = f"version {content.number} is that of the manifest before"
        raise UpdateError(UpdateFault.STALE_MANIFEST, what)
    versions = {one.path: one.version for one in content.files}
    least = {one.path: one.version for one in previous.files if one.version is not None}
    for path, number in least.items():
        version = versions.get(path)
        if version is None:
            raise UpdateError(UpdateFault.UNLISTED_FILE, f"it no longer lists {path!a:.200}")
        if version < number:
            what = f"{path!a:.200} of version {version} in place of {number}"
            raise UpdateError(UpdateFault.DOWNGRADE, what)


def _required(declared: DeclaredManifest, release: ManifestRelease) -> set[str]:
    """Return the artefacts that a manifest has to list."""
    named = set(declared.files.values())
    if declared.format in {ManifestName.CLAMSIGN, ManifestName.RAUC}:
        return named
    return named | release.required.get(_LISTS.get(declared.format), frozenset())


class _Listed:
    """Takes the files that a manifest lists, one by one."""

    def __init__(self, declared: DeclaredManifest, release: ManifestRelease) -> None:
        self._declared, self._release = declared, release
        self._names = frozenset(release.files)
        before = release.previous.files if release.previous else ()
        self._before = {one.path: one for one in before}
        self._others = frozenset(declared.others)
        self.found: set[str] = set()
        self.recomputed: list[str] = []
        self.claims: list[VendorClaim] = []
        self.kept = 0

    def take(self, listed: ListedFile) -> None:
        """Compare a file with ours, or with the manifest before; raises `UpdateError`."""
        name = self._declared.artefact_of(listed.path, listed.version, self._names)
        if name is not None:
            self._compare(listed, name, self._release.files[name])
        elif self._before.get(listed.path) == listed:
            self.kept += 1
        elif listed.path in self._others:
            self.claims.extend(_said(listed))
        else:
            what = f"{listed.path!a:.200} is no file of this release, nor listed before as it is"
            raise UpdateError(UpdateFault.UNDECLARED_FILE, what)

    def _compare(self, listed: ListedFile, name: str, ours: OurFile | None) -> None:
        if ours is None:
            raise UpdateError(UpdateFault.TARGET_NOT_REBUILT, f"nothing stands for {name}")
        if name in self.found:
            raise UpdateError(UpdateFault.FIELD_MISMATCH, f"it lists {name} twice")
        self.found.add(name)
        mixed = UpdateFault.MIXED_SNAPSHOTS if ours.manifest else None
        if listed.version is not None:
            found = ours.manifest.number if ours.manifest else None
            if found != listed.version:
                what = f"{name} of version {listed.version}, and it is of {found}"
                raise UpdateError(UpdateFault.MIXED_SNAPSHOTS, what)
            self.recomputed.append(f"{listed.path}: version")
        if listed.size is not None:
            if listed.size != ours.size:
                what = f"{name} of {listed.size} bytes, and it has {ours.size}"
                raise UpdateError(mixed or UpdateFault.WRONG_LENGTH, what)
            self.recomputed.append(f"{listed.path}: size")
        for algorithm, said in listed.digests.items():
            if algorithm not in _ALGORITHMS:
                what = f"{name} by {algorithm!a:.40}; expected {', '.join(sorted(_ALGORITHMS))}"
                raise UpdateError(UpdateFault.UNSUPPORTED, what)
            if said != (found_digest := ours.digest(algorithm)):
                what = f"{name} of {algorithm} {said}, and it has {found_digest}"
                raise UpdateError(mixed or UpdateFault.FIELD_MISMATCH, what)
            self.recomputed.append(f"{listed.path}: {algorithm}")


def _said(listed: ListedFile) -> Iterator[VendorClaim]:
    """Yield what is said of a file of another release."""
    if listed.version is not None:
        yield vendor_claim(f"{listed.path}: version", str(listed.version))
    if listed.size is not None:
        yield vendor_claim(f"{listed.path}: size", str(listed.size))
    for algorithm, said in listed.digests.items():
        yield vendor_claim(f"{listed.path}: {algorithm}", said)

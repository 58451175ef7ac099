"""Facts on manifests: what they list, computed anew from the files that were rebuilt."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import BinaryIO

from builders.core.digest import Digest, chunks
from builders.core.enums import Outcome
from builders.jail.errors import JailFailedError, JailUnavailableError
from builders.jail.file_reader import Jail
from builders.recipe.signature import PinnedSignature
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Facts, Unread
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import Opener
from pipelines.judge.signatures.signature_format import (
    Graft,
    Refused,
    SignatureFault,
    Signer,
)
from pipelines.judge.updates.checked_delta import CheckedBase
from pipelines.judge.updates.manifest_checks import ManifestRelease, OurFile, check_manifest
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.manifests.manifest_content import ManifestContent
from pipelines.judge.updates.update_fault import (
    MAX_DETAIL,
    UpdateError,
    UpdateFault,
    UpdateRefused,
)

Contents = Mapping[str, ManifestContent | UpdateRefused | Unread]
"""What manifests say, by artefact name."""
_SIGNATURE_FAULTS = {
    SignatureFault.MISSING: UpdateFault.MISSING_SIGNATURE,
    SignatureFault.WEAK_DIGEST: UpdateFault.WEAK_SIGNATURE,
}


@dataclass(frozen=True, kw_only=True)
class ManifestFiles:
    """Where the files of one judgement are."""

    shipped: Opener
    rebuilt: Opener
    base: Callable[[Digest], AbstractContextManager[BinaryIO]]
    """Opens an input of role base by its digest."""


def with_manifests(
    facts: Facts,
    declared: Mapping[str, DeclaredManifest],
    pinned: Mapping[str, PinnedSignature],
    bases: Mapping[Digest, CheckedBase],
    jail: Jail,
    files: ManifestFiles,
    *,
    version: str,
    first_seen: Mapping[str, datetime],
) -> Facts:
    """Return the facts with one on each manifest that was served, by artefact name.

    After grafts and deltas. `bases` are, by digest, the manifests before and the runs that judged
    them: what they list may stay listed, so they have to be right themselves. `version` is that of
    the release, and `first_seen` when each manifest was fetched for the first time, in UTC. Raises
    what the openers raise.
    """
    if facts.outcome is not Outcome.BUILT or facts.input_fault:
        return facts
    contents = {
        name: _content(jail, one.format, partial(files.shipped, name, served.sha256))
        for name, one in declared.items()
        if isinstance(served := facts.served.get(name), FileFact)
    }
    required = _required(facts, declared)
    found: dict[str, ManifestFact | Unread] = {}
    for name, content in contents.items():
        manifest = declared[name]
        before = bases[manifest.previous] if manifest.previous else None
        try:
            signers = _signers(facts, name, pinned[name], jail, files)
            release = ManifestRelease(
                version=version,
                files=_files(facts, name, contents, files),
                required=required,
                previous=_previous(jail, manifest, files),
                first_seen=first_seen[name],
            )
            fact = check_manifest(_readable(content), manifest, release)
            _require_judged(before)
            fact = fact.model_copy(update={"signers": signers})
        except UpdateError as error:
            fact = _refused(manifest, content, error.refused)
        except JailUnavailableError as error:
            found[name] = Unread(reason=str(error))
            continue
        found[name] = fact.model_copy(update={"seen_on": first_seen[name], "previous": before})
    return replace(facts, manifests=found)


def _require_judged(before: CheckedBase | None) -> None:
    """Raise `UpdateError` where nothing can rest on the manifest before."""
    if before and (refused := before.refused()):
        raise UpdateError(refused.fault, refused.detail)


def _readable(content: ManifestContent | UpdateRefused | Unread) -> ManifestContent:
    match content:
        case Unread(reason=reason):
            raise JailUnavailableError(reason)
        case UpdateRefused():
            raise UpdateError(content.fault, content.detail)
        case _:
            return content


def _refused(
    manifest: DeclaredManifest,
    content: ManifestContent | UpdateRefused | Unread,
    refused: UpdateRefused,
) -> ManifestFact:
    """Return what is known of a manifest that does not pass; none of it was computed anew."""
    if not isinstance(content, ManifestContent):
        return ManifestFact(format=manifest.format, refused=refused)
    return ManifestFact(
        format=manifest.format,
        **content.only("version", "expires", "claims"),
        refused=refused,
    )


def _content(
    jail: Jail, name: ManifestName, opened: Callable[[], AbstractContextManager[BinaryIO]]
) -> ManifestContent | UpdateRefused | Unread:
    from pipelines.judge.updates.manifests.read_manifest import (  # noqa: PLC0415  # few recipes need it
        MANIFEST,
        ManifestChoice,
    )

    try:
        with opened() as file:
            return jail.run(MANIFEST, [file], ManifestChoice(format=name))
    except JailUnavailableError as error:
        return Unread(reason=str(error))
    except JailFailedError as error:
        detail = str(error)[:MAX_DETAIL]
        return UpdateRefused(fault=UpdateFault.MANIFEST_UNREADABLE, detail=detail)


def _previous(
    jail: Jail, manifest: DeclaredManifest, files: ManifestFiles
) -> ManifestContent | None:
    """Return what the manifest before says; raises `UpdateError` if it is none."""
    if manifest.previous is None:
        return None
    found = _content(jail, manifest.format, partial(files.base, manifest.previous))
    if isinstance(found, UpdateRefused):
        raise UpdateError(UpdateFault.WRONG_BASE, f"the manifest before: {found.detail}")
    return _readable(found)


def _signers(
    facts: Facts, name: str, pinned: PinnedSignature, jail: Jail, files: ManifestFiles
) -> tuple[Signer, ...]:
    """Return who has signed a manifest; raises `UpdateError` unless that is who has to."""
    graft = facts.grafts.get(name)
    if isinstance(graft, Graft):
        return graft.signers
    if graft is not None:
        return ()  # the verdict is that of its signature
    served = facts.served[name]
    if not isinstance(served, FileFact):
        return ()
    from pipelines.judge.signatures.graft_readers import VERIFY  # noqa: PLC0415  # many

    try:
        with files.shipped(name, served.sha256) as file:
            verified = jail.run(VERIFY, [file], pinned)
    except JailFailedError as error:
        raise UpdateError(UpdateFault.SIGNATURE_REFUSED, str(error)) from error
    if isinstance(verified, Refused):
        fault = _SIGNATURE_FAULTS.get(verified.fault, UpdateFault.SIGNATURE_REFUSED)
        raise UpdateError(fault, f"{verified.fault}: {verified.detail}")
    if {one.certificate for one in verified.signers} != set(pinned.signers):
        what = "the signatures are not by exactly the pinned signers"
        raise UpdateError(UpdateFault.SIGNATURE_REFUSED, what)
    return verified.signers


def _files(
    facts: Facts, manifest: str, contents: Contents, files: ManifestFiles
) -> dict[str, OurFile | None]:
    """Return what stands for each file that a manifest may list; None where nothing was built."""
    outputs = {output.name: output for output in facts.rebuilt}
    found: dict[str, OurFile | None] = {
        name: _our_file(output.sha256, output.size, partial(files.rebuilt, name, output.sha256))
        for name, output in outputs.items()
    }
    for artefact in facts.declared:
        name, served = artefact.name, facts.served.get(artefact.name)
        own, graft = outputs.get(name), facts.grafts.get(name)
        if not isinstance(served, FileFact):
            found.setdefault(name, None)
            continue
        same = own is not None and own.sha256 == served.sha256
        signed = isinstance(graft, Graft) and graft.sha256 == served.sha256
        content = contents.get(name)
        stands_in = own is None and (content is not None or _is_applied(facts, name))
        if same or signed or stands_in:
            opened = partial(files.shipped, name, served.sha256)
            one = _our_file(served.sha256, served.size, opened)
            read = content if isinstance(content, ManifestContent) else None
            found[name] = replace(one, manifest=read)
        else:
            found.setdefault(name, None)
    found.pop(manifest, None)
    return found


def _is_applied(facts: Facts, name: str) -> bool:
    """Say whether a delta that the build does not make gives the target."""
    delta = facts.deltas.get(name)
    return delta is not None and not isinstance(delta, Unread) and delta.refused is None


def _our_file(
    sha256: Digest, size: int, opened: Callable[[], AbstractContextManager[BinaryIO]]
) -> OurFile:
    def digest(algorithm: str) -> str:
        if algorithm == "sha256":
            return sha256.hex
        made = hashlib.new(algorithm)
        with opened() as file:
            file.seek(0)
            for piece in chunks(file):
                made.update(piece)
        return made.hexdigest()

    return OurFile(size=size, digest=digest)


def _required(
    facts: Facts, declared: Mapping[str, DeclaredManifest]
) -> dict[ManifestName | None, frozenset[str]]:
    names: dict[ManifestName | None, set[str]] = {}
    for artefact in facts.declared:
        manifest = declared.get(artefact.name)
        names.setdefault(manifest.format if manifest else None, set()).add(artefact.name)
    return {name: frozenset(ones) for name, ones in names.items()}

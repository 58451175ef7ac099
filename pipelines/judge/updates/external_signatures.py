"""Signatures that a recipe requires beside a file: each is a manifest that signs the file's digest.

A client that finds none falls back to the signature in the file, so what is shipped without one is
not what the recipe demands. It comes after the manifests, and reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from builders.recipe.signature import PinnedSignature
from builders.recipe.update_manifest import DeclaredManifest, ManifestName
from pipelines.judge.compare import Facts, Unreachable, Unread
from pipelines.judge.finding import FileFact
from pipelines.judge.signatures.signature_format import (
    MAX_DETAIL,
    Graft,
    Refused,
    SignatureFault,
)
from pipelines.judge.updates.manifest_format import ManifestFact
from pipelines.judge.updates.update_fault import UpdateResult


def with_external_signatures(
    facts: Facts,
    pinned: Mapping[str, PinnedSignature],
    manifests: Mapping[str, DeclaredManifest],
) -> Facts:
    """Return the facts without grafts, by artefact name, that lack a required external signature.

    Several may sign one file; each of them has to count. A file whose bytes are ours as they are
    has no graft, and is left unread where it lacks one.
    """
    signing: dict[str, list[str]] = {}
    for name, manifest in manifests.items():
        if manifest.format is ManifestName.CLAMSIGN:
            for signed in manifest.files.values():
                signing.setdefault(signed, []).append(name)
    found: dict[str, Refused | Unread] = {}
    for name in [name for name, one in pinned.items() if one.external]:
        graft, lacking = facts.grafts.get(name), _lacking(name, signing.get(name, ()), facts)
        if isinstance(graft, Graft) and lacking:
            found[name] = lacking
        elif graft is None and isinstance(lacking, Refused):
            found[name] = Unread(reason=f"{lacking.fault}: {lacking.detail}")
        elif graft is None and lacking:
            found[name] = lacking
    return replace(facts, grafts={**facts.grafts, **found})


def _lacking(signed: str, signatures: Sequence[str], facts: Facts) -> Refused | Unread | None:
    """Return why the external signatures of a file do not count; None if each of them does."""
    if not signatures:
        what = f"no manifest of the release is an external signature of {signed}"
        return Refused(fault=SignatureFault.EXTERNAL_MISSING, detail=what[:MAX_DETAIL])
    found = [lacking for name in signatures if (lacking := _of_one(name, facts))]
    return min(found, key=lambda one: isinstance(one, Unread), default=None)


def _of_one(name: str, facts: Facts) -> Refused | Unread | None:
    published = {artefact.name: artefact.published for artefact in facts.declared}[name]
    served, manifest = facts.served.get(name), facts.manifests.get(name)
    if isinstance(served, FileFact) and served.sha256 != published:
        return _refused(f"{name} is not the published file")
    if not isinstance(served, FileFact) or not isinstance(manifest, ManifestFact):
        unread = manifest if isinstance(served, FileFact) else served
        why = unread.reason if isinstance(unread, Unread | Unreachable) else "nothing has read it"
        return Unread(reason=f"the external signature {name}: {why}")
    if manifest.refused is None:
        return None
    what = f"{name}: {manifest.refused.fault}: {manifest.refused.detail}"
    return Unread(reason=what) if manifest.result is UpdateResult.UNJUDGED else _refused(what)


def _refused(what: str) -> Refused:
    return Refused(fault=SignatureFault.EXTERNAL_REFUSED, detail=what[:MAX_DETAIL])

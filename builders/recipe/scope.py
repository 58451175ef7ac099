"""The scope: everything in a recipe that decides what is judged, beside the claim.

Its digest is the SHA-256 of its canonical JSON (RFC 8785). Of two recipes with one claim, one could
hide a file by calling it a by-product; their scopes differ then. Published digests and locators are
no part of it: they are what the judgement is about, and each finding names them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from builders.core.digest import Digest, canonical_json
from builders.recipe.normalizers import DeclaredNormalizer
from builders.recipe.recipe import Recipe
from builders.recipe.signature import PinnedSignature
from builders.recipe.update import DeclaredDelta, DeltaJudged
from builders.recipe.update_manifest import DeclaredManifest

PATTERNS = ("by_products", "published_by_products", "ignore")


@dataclass(frozen=True, kw_only=True)
class Scope:
    """A scope and its digest."""

    digest: Digest
    content: dict[str, Any]


def scope_of(recipe: Recipe) -> Scope:
    """Return the scope of a recipe: its artefacts by all but what is shipped, and its patterns.

    Inputs that are declared opaque are in it too, and the bases of an update with their releases;
    without one, nothing is said of inputs. Lists are sorted, since their order decides nothing.
    """
    artefacts = [
        a.model_dump(mode="json", exclude={"shipped"}, exclude_none=True) for a in recipe.artefacts
    ]
    content: dict[str, Any] = {
        "artefacts": sorted(artefacts, key=lambda artefact: str(artefact["name"])),
        **{name: sorted(set(getattr(recipe, name))) for name in PATTERNS},
    }
    if opaque := sorted([str(i.role), str(i.sha256), i.opaque] for i in recipe.inputs if i.opaque):
        content["opaque"] = opaque
    if bases := sorted([str(digest), release] for digest, release in recipe.bases.items()):
        content |= {"bases": bases, "version_order": str(recipe.version_order)}
    return Scope(digest=Digest.of(canonical_json(content)), content=content)


def scope_lines(recipe: Recipe) -> list[str]:
    """Return what a scope covers, in words for people who approve it."""
    unjudged = {
        "built and not judged": recipe.by_products,
        "built, not judged, published elsewhere": recipe.published_by_products,
        "ignored": recipe.ignore,
    }
    judged: dict[str, tuple[str, ...]] = {}
    for artefact in recipe.artefacts:
        packed = f", packed again as {artefact.packing}" if artefact.packing else ""
        masked = _masked(artefact.normalizers)
        how = _applied(artefact.delta) or _listing(artefact.manifest)
        what = f"judged{how}{packed}{_signed(artefact.signature)}{masked}"
        inside = f" (from {artefact.output})" if artefact.output else ""
        judged[what] = (*judged.get(what, ()), f"{artefact.name}{inside}")
    lines = {**judged, **unjudged}
    opaque = [
        f"not searched whole for copies: {i.locator} ({i.opaque})"
        for i in recipe.inputs
        if i.opaque
    ]
    bases = [f"based on: {release} (sha256 {one})" for one, release in recipe.bases.items()]
    named = [f"{what}: {', '.join(names)}" for what, names in lines.items() if names]
    return [*named, *bases, *opaque]


def _masked(normalizers: Iterable[DeclaredNormalizer] | None) -> str:
    return "".join(
        f", masked by {one.name}{f' up to {one.bytes} bytes' if one.bytes else ''} ({one.reason})"
        for one in normalizers or ()
    )


def _applied(delta: DeclaredDelta | None) -> str:
    if delta is None:
        return ""
    how = "by its bytes and its result" if delta.judged is DeltaJudged.REBUILT else "by its result"
    return f" {how}, as {delta.format} from {delta.base} to {delta.target}"


def _listing(manifest: DeclaredManifest | None) -> str:
    if manifest is None:
        return ""
    ends = {
        "in place of": [str(manifest.previous)] if manifest.previous else [],
        "which calls": [f"{path} {name}" for path, name in manifest.files.items()],
        "and may list": manifest.others,
    }
    told = "".join(f", {how} {' and '.join(ones)}" for how, ones in ends.items() if ones)
    return f" by what it says, as {manifest.format}{told}"


def _signed(signature: PinnedSignature | None) -> str:
    if signature is None:
        return ""
    pins = {
        "signed by": signature.signers,
        "time stamps by": signature.time_stamps,
        "may carry certificates": signature.certificates,
    }
    told = "".join(f", {how} {' and '.join(map(str, ones))}" for how, ones in pins.items() if ones)
    return f"{told}, needs an external signature" if signature.external else told

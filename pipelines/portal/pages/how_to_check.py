"""How anybody checks a release without trusting the portal: with the commands filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote
from typing import ClassVar, Literal

from pydantic import Field

from builders.core.digest import Digest
from builders.core.enums import Verdict
from builders.core.frozen_model import FrozenModel
from pipelines.audit.center_finding import newest_findings
from pipelines.consensus.consensus_result import Consensus
from pipelines.evidence.release_name import ReleaseName
from pipelines.policy import SignedPolicy
from pipelines.portal.digest_index import PublishedBundle, bundle_paths
from pipelines.portal.facts import ReleaseFacts, SiteFacts
from pipelines.portal.paths import release_path
from pipelines.portal.portal_page import PortalPage

LISTED = 20
"""Artefacts, and bundles, that commands are written for."""
_POLICY = "policy.dsse.json"


class CheckedArtefact(FrozenModel):
    """An artefact and its published digest."""

    name: str
    sha256: Digest


class LoggedFinding(FrozenModel):
    """Where the log of a center has what it found of an artefact."""

    artefact: str
    center: str
    verdict: Verdict
    index: int


class HowToCheckPage(PortalPage):
    """The page, of one release or of releases in general."""

    TEMPLATE: ClassVar[str] = "how_to_check.html.j2"
    SCRIPTS: ClassVar[tuple[str, ...]] = ("assets/address.js",)
    schema_: Literal["samebits/portal/how-to-check/v1"] = Field(
        default="samebits/portal/how-to-check/v1", alias="schema"
    )
    release: str | None = None
    """`vendor/product@version`; None for releases in general."""
    private: bool = False
    """Whether the source is closed, so that nobody outside can rebuild it."""
    artefacts: tuple[CheckedArtefact, ...] = ()
    left_out: int = 0
    findings: tuple[LoggedFinding, ...] = ()
    bundles: tuple[PublishedBundle, ...] = ()
    policy: str
    """The signed policy in force, from the root of the site."""
    policy_digest: Digest
    commands: dict[str, tuple[str, ...]]
    """Lines of a shell, by step, from digest and policy to rebuild and by-hand. `$PORTAL` is the
    address of the site."""

    @property
    def path(self) -> str:
        """The folder of the page."""
        return f"{self.release_path}how-to-check/"

    @property
    def release_path(self) -> str:
        """The folder of the page of the release; the root of the site without one."""
        return release_path(ReleaseName.parse(self.release)) if self.release else ""


def how_to_check_page(
    policy: SignedPolicy,
    release: ReleaseName | None = None,
    consensus: Iterable[Consensus] = (),
    bundles: Iterable[PublishedBundle] = (),
) -> HowToCheckPage:
    """Return the page of a release, or without one of releases in general."""
    joined, given = tuple(consensus), tuple(bundles)[:LISTED]
    artefacts = tuple(
        CheckedArtefact(name=one.subject.artefact, sha256=one.subject.published) for one in joined
    )
    claims = [one.subject.claim for one in joined]
    private = any(claim is not None and claim.sha256 is None for claim in claims)
    path = f"policy/{policy.policy.version}.dsse.json"
    shown = artefacts[:LISTED]
    return HowToCheckPage(
        release=str(release) if release else None,
        private=private,
        artefacts=shown,
        left_out=len(artefacts) - len(shown),
        findings=tuple(_findings(joined[:LISTED])),
        bundles=given,
        policy=path,
        policy_digest=policy.digest,
        commands=_commands(path, release, shown, given, private=private),
    )


def release_instructions(facts: ReleaseFacts) -> HowToCheckPage:
    """Return the page of a release that was joined."""
    named = {(one.name, one.sha256) for one in facts.line.artefacts}
    shown = [
        one
        for one in facts.joined.consensus.artefacts
        if (one.subject.artefact, one.subject.published) in named
    ]
    bundles = bundle_paths(facts.joined.read)
    return how_to_check_page(facts.view.policy, facts.release, shown, bundles)


def general_page(facts: SiteFacts) -> HowToCheckPage:
    """Return the page of releases in general."""
    return how_to_check_page(facts.view.policy)


def _findings(joined: Iterable[Consensus]) -> Iterator[LoggedFinding]:
    for one in joined:
        for found in newest_findings(f for o in one.operators for f in o.newest):
            yield LoggedFinding(
                artefact=one.subject.artefact,
                center=found.center.id,
                verdict=found.verdict,
                index=found.index,
            )


def _commands(
    policy: str,
    release: ReleaseName | None,
    artefacts: tuple[CheckedArtefact, ...],
    bundles: tuple[PublishedBundle, ...],
    *,
    private: bool,
) -> dict[str, tuple[str, ...]]:
    """Return the commands of each step; names of others are quoted for a shell."""
    files = [quote(one.name) for one in artefacts] or ["FILE"]
    given = " ".join(f"--file={file}" for file in files)
    first = _file(bundles[0].path) if bundles else "BUNDLE"
    found = {
        "digest": [f"sha256sum -- {' '.join(files)}"],
        "policy": [
            f'curl -fsS -o {_POLICY} "$PORTAL/{policy}"',
            f"samebits policy check {_POLICY}",
        ],
        "check": [
            f'samebits check --portal "$PORTAL" --policy {_POLICY} -- {file}' for file in files
        ],
        "bundle": [
            line
            for one in bundles or (PublishedBundle(center="", run="", path="bundles/BUNDLE"),)
            for line in (*_fetched(one), f"{_checked(one)} --policy {_POLICY} {given}")
        ],
        "plain": [
            f"tar -xf {first} && sha256sum -c SHA256SUMS",
            "cosign verify-blob-attestation --key statements.pub --insecure-ignore-tlog \\",
            "    --type https://samebits.example/comparison/v2 \\",
            f"    --signature statements/comparison-1.dsse.json -- {files[0]}",
        ],
        "rebuild": [] if private else [f"samebits replay {first} --policy {_POLICY}"],
        "by-hand": [] if private else [*_rebuild(release, files)],
    }
    return {step: tuple(lines) for step, lines in found.items() if lines}


def _fetched(bundle: PublishedBundle) -> Iterator[str]:
    """Yield what fetches a bundle, and those that it rests on."""
    for path in (bundle.path, *bundle.bases):
        yield f'curl -fsS -o {_file(path)} "$PORTAL/{_url(path)}"'


def _checked(bundle: PublishedBundle) -> str:
    bases = "".join(f" --base={_file(path)}" for path in bundle.bases)
    return f"samebits evidence check {_file(bundle.path)}{bases}"


def _file(path: str) -> str:
    """Return the name that a bundle has, of center and run."""
    return quote(path.rpartition("/")[2])


def _rebuild(release: ReleaseName | None, files: list[str]) -> Iterator[str]:
    vendor, product, version = release.parts if release else ("VENDOR", "PRODUCT", "VERSION")
    recipe = quote(f"recipes/releases/{vendor}/{product}/{version}.yaml")
    yield f"samebits rebuild {recipe} --out rebuilt"
    yield f"(cd rebuilt && sha256sum -- {' '.join(files)})"


def _url(path: str) -> str:
    """Return a path of the site as a URL has it, inside double quotes of a shell."""
    return path.replace("%", "%25")

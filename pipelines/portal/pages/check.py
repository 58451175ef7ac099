"""The page on which a visitor checks a file: it is hashed and verified in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from builders.core.digest import Digest
from builders.core.frozen_model import FrozenModel
from pipelines.portal.policy_chain import CHAIN
from pipelines.portal.portal_page import PortalPage
from pipelines.portal.site_file import SiteFile
from pipelines.portal.verifier_file import NAME, main_script, verifier_file, worker_script


class OfflineVerifier(FrozenModel):
    """The verifier as one file."""

    path: str
    sha256: Digest


class CheckPage(PortalPage):
    """What the page loads; the machine-readable twin says where the index and the policies are."""

    TEMPLATE: ClassVar[str] = "check.html.j2"
    STYLES: ClassVar[tuple[str, ...]] = ("assets/check.css",)
    schema_: Literal["samebits/portal/check/v1"] = Field(
        default="samebits/portal/check/v1", alias="schema"
    )
    script: str
    worker: str
    verifier: OfflineVerifier
    index: str = "files/"
    policies: str = CHAIN

    @property
    def path(self) -> str:
        """Its folder."""
        return "check/"


def check_page() -> CheckPage:
    """Return the page."""
    return CheckPage(
        script=_script("check", main_script()).path,
        worker=_script("hash-worker", worker_script()).path,
        verifier=OfflineVerifier(path=NAME, sha256=Digest.of(verifier_file())),
    )


def check_files() -> Iterator[PortalPage | SiteFile]:
    """Yield the page, its scripts, and the offline verifier."""
    yield check_page()
    yield _script("check", main_script())
    yield _script("hash-worker", worker_script())
    yield SiteFile(NAME, verifier_file())


def _script(name: str, text: str) -> SiteFile:
    data = text.encode()
    return SiteFile(f"check/{name}-{Digest.of(data).hex[:16]}.js", data)

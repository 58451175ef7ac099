"""One release by its purl, whatever kind it is of."""

from __future__ import annotations

from builders.locators.project import ProjectReader
from pipelines.infer.debiansearch import infer_debian
from pipelines.infer.debiansource import is_debian
from pipelines.infer.search import Limits, infer
from pipelines.infer.target import find_release
from pipelines.infer.trail import Trail
from pipelines.workshop import Workshop


def infer_release(
    purl: str, shop: Workshop, index: ProjectReader, limits: Limits | None = None
) -> Trail:
    """Find a recipe for the release that `purl` names: a pure wheel, or a Debian source package.

    Raises `UsageError` for what is no such purl, `InputUnavailableError` for what nobody serves.
    """
    limits = limits or Limits()
    if is_debian(purl):
        return infer_debian(purl, shop, limits)
    return infer(find_release(purl, index), shop, index, limits)

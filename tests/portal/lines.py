"""Releases as lists have them: one function that makes a line."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from builders.core.digest import Digest
from builders.core.enums import Kind, Outcome, Verdict
from builders.core.runid import run_started
from pipelines.consensus.joined_result import Result
from pipelines.portal.release_line import ArtefactLine, CenterRun, ReleaseLine, StandingStep
from pipelines.portal.standing import Standing

RUN = "20260102T030405Z-0a1b2c3d"
_VERDICTS = {
    Standing.CONFIRMED: (Verdict.IDENTICAL, Result.CONFIRMED),
    Standing.DIFFERENT: (Verdict.DIFFERENT, Result.SPLIT),
    Standing.SUSPECT: (Verdict.DIFFERENT, Result.SUSPECT),
    Standing.UNCHECKED: (Verdict.NOT_CHECKED, Result.NOT_CHECKED),
}


def line(
    release: str = "acme/tool@1.0", standing: str = "confirmed", **changes: Any
) -> ReleaseLine:
    """Return the line of a release that two centers have run once, with `changes`."""
    path, _, version = release.partition("@")
    vendor, _, product = path.partition("/")
    word = Standing(standing)
    run = changes.pop("run", RUN)
    verdict, result = _VERDICTS[word]
    fields: dict[str, Any] = {
        "vendor": vendor,
        "product": product,
        "version": version,
        "kind": Kind.BINARY,
        "standing": word,
        "artefacts": (
            ArtefactLine(
                name="tool.deb", sha256=Digest.of(release.encode()), result=result, standing=word
            ),
        ),
        "matched": ("ada", "bob") if word is Standing.CONFIRMED else (),
        "runs": tuple(
            CenterRun(
                center=f"{operator}-1",
                operator=operator,
                region=f"{operator}-land",
                run=run,
                verdict=verdict,
                outcome=Outcome.BUILT,
            )
            for operator in ("ada", "bob")
        ),
        "steps": (step(word, run),),
        **changes,
    }
    return ReleaseLine(**fields)


def step(standing: str, run: str = RUN, at: datetime | None = None) -> StandingStep:
    """Return the step to a standing by a run."""
    began = at or run_started(run)
    return StandingStep(at=began, standing=Standing(standing), run=run, center="ada-1")


def parsed(data: bytes) -> ET.Element:
    """Return an XML document that we have made."""
    return ET.fromstring(data)  # noqa: S314  # our own

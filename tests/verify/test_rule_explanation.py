"""A DIFFERENT rule set is explained rule by rule, and both sides of its run can be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.images.provide import ProvidedImage
from pipelines.evidence.release_name import ReleaseName
from pipelines.judge.difference import CauseName
from pipelines.rules.reading import rule_changes
from pipelines.verify.run_files import rebuilt_and_shipped, shipped_files
from pipelines.verify.session import Session
from tests.lab import explained, verified, write_recipe
from tests.verify.cutoff import own_center

REVIEWED = "rule loader { condition: filesize > 5 } rule kept { condition: true }"
SHIPPED = "rule kept { condition: true }\n"


@pytest.mark.engine
def test_a_rule_that_was_not_shipped_is_a_cause(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    own = own_center(session, tmp_path).session
    recipe = write_recipe(
        tmp_path / "rules",
        [["sh", "-c", f"echo '{REVIEWED}' > /out/out.yar"]],
        shipped=SHIPPED.encode(),
        name="out.yar",
        kind="ruleset",
    )
    report = verified(own, recipe)
    (about,) = explained(own, report).artefacts
    causes = {cause.name: cause.detail for cause in about.causes}
    assert causes.keys() == {CauseName.CONTENT, CauseName.RULE_DISABLED}
    assert causes[CauseName.RULE_DISABLED].startswith("loader ")
    look = about.explanation.first_look
    assert look is not None
    assert (look.fields[0].format, look.fields[0].field) == ("yara rules", "loader")

    release = ReleaseName.parse(report.release)
    with rebuilt_and_shipped(own, release, report.run) as (rebuilt, shipped):
        changes = rule_changes(own.jail, rebuilt, shipped)
    assert [change.identity for change in changes.changes] == ["loader"]
    with shipped_files(own, release) as files:
        assert [(name, file.read()) for name, file in files] == [("out.yar", SHIPPED.encode())]

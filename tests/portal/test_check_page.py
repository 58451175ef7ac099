"""The words of the page that checks a file, which its scripts ask for by name."""

from __future__ import annotations

import re
from pathlib import Path

import pipelines.portal

PACKAGE = Path(pipelines.portal.__file__).parent


def test_the_page_has_every_text_that_its_scripts_ask_for() -> None:
    scripts = "".join(path.read_text() for path in (PACKAGE / "check").glob("*.js"))
    asked = set(re.findall(r"""\b(?:text|showFault)\("([a-z-]+)\"""", scripts))
    asked |= {f"because-{one}" for one in re.findall(r'reason: "([a-z-]+)"', scripts)}
    asked |= set(re.findall(r'export const [A-Z]+ = "([a-z-]+)";', scripts))
    template = (PACKAGE / "templates" / "check_body.html.j2").read_text()
    had = re.findall(r'data-text="([a-z-]+)"', template)
    assert len(had) == len(set(had))
    assert asked >= {"because-enough", "unknown", "too-large"}
    assert asked - set(had) == set()
    shown_otherwise = {"compared", "compared-other", "compared-not", "no-file", "nothing"}
    shown_otherwise |= {
        "center",
        "operator",
        "region",
        "says",
        "because-too-few",
        "because-nothing",
    }
    assert set(had) - asked - shown_otherwise == set(), "nobody asks for these"

"""HTML that diffoscope wrote: in its frame it is seen, and does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from pipelines.explain.frame import framed
from tests.browser.accessible import overflow
from tests.browser.served import Portal
from tests.browser.watched import Visitor

HOSTILE = b"""<html><head><style>p { color: rgb(1, 2, 3) }</style></head>
<body onload="top.document.title = 'taken'"><script>alert(1); top.document.title = "taken"</script>
<p>what "differs"</p><a href="about:blank#left" target="_top">leave</a>
<form action="about:blank#sent" target="_top"><button>send</button></form></body></html>"""


def test_it_is_shown_and_runs_nothing(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "diffoscope-europe.html"
    path.write_bytes(framed(HOSTILE))
    visitor.allowed.append("is sandboxed")  # so the browser says what it does not do
    page = visitor.open(path.as_uri())
    inside = page.frame_locator("iframe")
    expect(inside.get_by_text('what "differs"')).to_have_css("color", "rgb(1, 2, 3)")
    for what in ("leave", "send"):
        inside.get_by_text(what).click()
    expect(page).to_have_url(path.as_uri())
    expect(page).to_have_title("samebits: what differs")


@pytest.mark.parametrize("width", [320, 1600])
def test_what_diffoscope_wrote_is_on_the_page_of_a_difference(
    width: int, portal: Portal, visitor: Visitor
) -> None:
    path = "releases/acme/sensor/2.0/differences/sensor.tar/"
    page = visitor.open(portal.url(path), width=width)
    with page.expect_response("**/diffoscope-europe.html") as answered:  # not before it is seen
        page.locator("details:has(iframe) > summary").click()
    assert answered.value.ok
    assert "sandbox" in answered.value.headers["content-security-policy"]
    expect(page.locator("main iframe")).to_be_in_viewport()
    assert overflow(page) == 0
    with page.expect_navigation(url="**/diffoscope-europe.html"):
        page.get_by_role("link", name="Open it alone").click()

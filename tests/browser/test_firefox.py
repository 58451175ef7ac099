"""The pages in Firefox, whose engine is another than Chromium's: what they do is the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.core.digest import Digest
from pipelines.portal.verifier_file import NAME
from tests.browser.firefox import ENTER, TAB, Firefox, running_firefox
from tests.browser.served import Portal, served
from tests.browser.shown import AGENT, HOSTILE, agent
from tests.browser.test_check_file import ALTERED, CHECK, GOOD, fingerprint
from tests.browser.test_pages import LANGUAGES
from tests.browser.test_watched import POLICY
from tests.command import wait_until
from tests.desk import ONE, TWO, Desk, packed

LARGE = bytes(range(256)) * (40 << 10)
VERDICTS = {
    GOOD: "Reproduced",
    ALTERED: "Unknown file",
    LARGE: "Unknown file",
    agent("6.5"): "Not reproduced",
}
BAD = {
    "exception": ("<script>throw new Error('thrown')</script>", "console: Error: thrown"),
    "policy": (f"{POLICY}<script>1</script>", "console: Content-Security-Policy"),
    "style": (f"{POLICY}<p style='color: red'>x</p>", "console: Content-Security-Policy"),
    "origin": (
        "<img src='http://127.0.0.2:8080/x.png'>",
        "asks another origin: http://127.0.0.2:8080",
    ),
}
ABOUT = """
    const root = document.documentElement;
    return {
        status: performance.getEntriesByType("navigation")[0].responseStatus,
        language: root.lang,
        headings: document.querySelectorAll("h1").length,
        width: innerWidth,
        over: root.scrollWidth - root.clientWidth,
    };
"""
FITS = {"status": 200, "headings": 1, "width": 320, "over": 0}
DROP = """
    const [bytes, name] = arguments;
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
    const dropped = new DragEvent("drop", {dataTransfer, bubbles: true});
    document.querySelector("#drop").dispatchEvent(dropped);
"""
BRING_SCRIPT = """
    const script = document.createElement("script");
    script.textContent = "document.title = 'ran'";
    document.head.append(script);
    return document.title;
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with running_firefox(tmp_path_factory.mktemp("firefox")) as running:
        yield running


@pytest.fixture
def firefox(running: Firefox) -> Iterator[Firefox]:
    """Opens pages; at its end the test fails for what a page did that none may do."""
    yield running
    faults = running.look()
    running.forget()
    assert faults == []


def kept(folder: Path, data: bytes) -> Path:
    """Return a file with these bytes."""
    path = folder / f"{Digest.of(data).hex[:8]}-{AGENT}"
    path.write_bytes(data)
    return path


def answer(firefox: Firefox, *files: Path) -> str:
    """Choose files, and return the first line of the answer."""
    firefox.choose("#file", *files)
    return firefox.text("#answer h2")


def test_every_page_opens_and_fits_a_phone(portal: Portal, firefox: Firefox) -> None:
    pages = dict.fromkeys(portal.pages(), "en")
    pages |= {f"{path}{LANGUAGES['de']}": "de" for path in portal.of_each_kind()}
    wrong = []
    for path, language in pages.items():
        firefox.open(portal.url(path), width=320)
        found = firefox.run(ABOUT)
        if found != {**FITS, "language": language}:
            wrong.append(f"{path}: {found}")
    assert wrong == []


@pytest.mark.parametrize("data", VERDICTS, ids=["good", "altered", "large", "different"])
def test_a_file_has_the_same_answer_as_in_chromium(
    data: bytes, portal: Portal, firefox: Firefox, tmp_path: Path
) -> None:
    firefox.open(portal.url(CHECK))
    assert answer(firefox, kept(tmp_path, data)) == VERDICTS[data]
    assert str(Digest.of(data)) in firefox.text("#answer")
    firefox.look()
    asked = [url for url in firefox.requests if "/files/" in url]
    assert asked == [portal.url(f"files/{Digest.of(data).hex[:2]}.json")], "and no more is told"


def test_a_dropped_file_is_checked_in_german_and_its_name_is_text(
    portal: Portal, firefox: Firefox
) -> None:
    firefox.open(portal.url(CHECK + LANGUAGES["de"]), width=320)
    firefox.run(DROP, list(GOOD), HOSTILE)
    assert firefox.text("#answer h2") == "Nachgebaut"
    shown = firefox.text("#answer dd")
    assert shown == HOSTILE.replace("\u202e", r"\u{202e}").replace("\u200b", r"\u{200b}")
    assert firefox.run(ABOUT)["over"] == 0


def test_a_copied_folder_needs_no_server(portal: Portal, firefox: Firefox, tmp_path: Path) -> None:
    usb = tmp_path / "usb"
    shutil.copytree(portal.current, usb)
    for data, word in VERDICTS.items():
        firefox.open((usb / NAME).as_uri())
        first = answer(firefox, kept(tmp_path, data))
        assert first == ("Not proven" if data == GOOD else word), "a copy could bring its centers"
        firefox.type("#expected", fingerprint(portal))
        firefox.text("#compared", "the one that you expect")
        firefox.text("#answer h2", word)
    firefox.look()
    assert firefox.requests == []


def test_an_altered_bundle_is_refused(portal: Portal, firefox: Firefox, tmp_path: Path) -> None:
    """The offline file alone in a folder, which asks nobody."""
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(portal.current / NAME, alone)
    bundle, other, _ = sorted((portal.current / "bundles/acme/agent/6.4").glob("*.bundle.tar"))
    policy = next((portal.current / "policy").glob("*.dsse.json"))
    altered = tmp_path / "altered.bundle.tar"
    altered.write_bytes(bundle.read_bytes().replace(b"IDENTICAL", b"iDENTICAL", 1))
    assert altered.read_bytes() != bundle.read_bytes()
    for given, words in (
        (bundle, ("Not proven", "Reproduced")),
        (altered, ("Refused", "Refused")),
    ):
        firefox.open((alone / NAME).as_uri())
        firefox.text("#no-portal")
        assert answer(firefox, kept(tmp_path, GOOD), given, other, policy) == words[0]
        firefox.type("#expected", fingerprint(portal))
        firefox.text("#compared", "the one that you expect")
        firefox.text("#answer h2", words[1])


def test_a_leaf_of_a_log_is_proved(portal: Portal, firefox: Firefox) -> None:
    firefox.open(portal.url("/logs/europe/"))
    assert "Verified in this browser" not in firefox.text("main")
    firefox.type("#leaf-index", ENTER)
    firefox.text("main", "Verified in this browser")


def test_the_keyboard_is_at_the_content_with_two_keys(portal: Portal, firefox: Firefox) -> None:
    firefox.open(portal.url("/"))
    firefox.press(TAB)
    assert firefox.run("return document.activeElement.className") == "skip"
    firefox.press(ENTER)
    assert firefox.run("return document.activeElement.id") == "content"


def test_a_script_that_somebody_brings_into_a_page_is_not_run(
    portal: Portal, firefox: Firefox, tmp_path: Path
) -> None:
    firefox.allowed.append("console: Content-Security-Policy")
    firefox.open(portal.url("/"))
    assert firefox.run(BRING_SCRIPT) != "ran"
    plain = tmp_path / "plain.html"
    plain.write_text("<!doctype html><title>x</title>")
    firefox.open(plain.as_uri())
    assert firefox.run(BRING_SCRIPT) == "ran", "where no policy forbids it"


def test_a_comment_is_prepared_with_the_keyboard_alone(firefox: Firefox, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.require("ada")
    desk.release("1", packed(ONE))
    desk.release("2", packed(TWO))
    words = ("review", "serve", "--reviewer", "ada", "--center", desk.center)
    with served(*words, home=desk.home) as address:
        firefox.open(address, width=320)
        firefox.press(f"/tool@2{ENTER}")
        firefox.text("main", "1 release has a recipe here.")
        for _ in range(12):
            firefox.press(TAB)
            if firefox.run("return document.activeElement.textContent.trim()") == "lab/tool@2":
                break
        firefox.press(ENTER)
        firefox.text("h1", "lab/tool@2")
        firefox.press("n")
        firefox.text("h1", "logo.bin")
        firefox.press("r")
        firefox.text("h1", "lab/tool@2")
        assert firefox.run(ABOUT)["over"] == 0
        firefox.press(f"cWhy 1?{TAB}{ENTER}")
        firefox.text("h1", "Sign it in the terminal")
        assert "samebits review comment" in firefox.text("pre.command")


@pytest.mark.parametrize("what", BAD)
def test_a_page_is_faulted_for(what: str, firefox: Firefox, tmp_path: Path) -> None:
    text, expected = BAD[what]
    page = tmp_path / "bad.html"
    page.write_text(f"<!doctype html><title>x</title>{text}")
    firefox.open(page.as_uri())
    wait_until(lambda: any(expected in fault for fault in firefox.look()))
    firefox.allowed.append(expected)


def test_what_a_server_does_not_have_is_a_fault(portal: Portal, firefox: Firefox) -> None:
    firefox.open(portal.url("nothing/"))
    assert [fault for fault in firefox.look() if fault.startswith("status 404")]
    firefox.allowed.append("status 404")

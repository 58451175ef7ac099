"""`samebits review serve` as a process: on loopback, for who has its address, until Ctrl-C."""

from __future__ import annotations

import json
import signal
from urllib.parse import urlsplit

import httpx

from pipelines.cli.review_serve import serve
from tests.command import finish, interrupt, started
from tests.desk import ONE, Desk, packed
from tests.review.conftest import Terminal


def test_the_pages_are_served_to_who_has_the_address(desk: Desk, terminal: Terminal) -> None:
    desk.release("1", packed(ONE))
    words = ("review", "serve", "--reviewer", "ada", "--json", "--center", desk.center)
    with started(*words, home=desk.home) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        address = urlsplit(json.loads(text)["address"])
        assert address.hostname == "127.0.0.1"
        with httpx.Client(trust_env=False, follow_redirects=True) as client:
            origin = f"http://{address.netloc}"
            assert client.get(f"{origin}/").status_code == 403
            page = client.get(address.geturl())
            assert page.status_code == 200
            assert "lab/tool@1" in page.text
            assert "server" not in page.headers
            style = client.get(str(page.url.join("assets/review.css")))
            assert style.headers["content-type"].startswith("text/css")
        port = str(address.port)
        taken = terminal.run("serve", "--reviewer", "zoe", "--port", port)
        assert taken.code == 64
        assert "the policy has no key of zoe" in taken.err
        assert f"port {port} cannot be used" in taken.err
        interrupt(process, signal.SIGINT)
        ended = finish(process)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert not list((desk.home / "work").glob("source-*"))


def test_a_reviewer_needs_a_proper_name(terminal: Terminal) -> None:
    ended = terminal.run("serve", "--reviewer", "Ada Lovelace")
    assert (ended.code, "not the name of a reviewer" in ended.err) == (64, True)


def test_no_other_address_than_loopback_can_be_asked_for() -> None:
    names = {name for parameter in serve.params for name in parameter.opts}
    assert not names & {"--host", "--address", "--bind"}

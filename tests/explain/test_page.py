"""The page of a difference holds what was found, and no text of others can act in it."""

from __future__ import annotations

import io
from html.parser import HTMLParser

from builders.core.digest import Digest
from pipelines.explain.named_causes import named_causes
from pipelines.explain.page import difference_page
from pipelines.explain.quickdiff import quick_diff
from pipelines.explain.sentences import sentences

EVIL = "</td><script>x()</script>\x1b[2J\u202e"


def page(shipped: bytes, rebuilt: bytes) -> str:
    look = quick_diff(io.BytesIO(shipped), io.BytesIO(rebuilt)).diff
    digests = [("theirs", Digest.of(shipped)), (EVIL, Digest.of(rebuilt))]
    return difference_page("DIFFERENT", digests, look, named_causes(look)).decode()


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)


def test_both_values_stand_in_the_page_and_the_useful_sentence_comes_first() -> None:
    one, other = b"built by GCC 14.2.0\n" * 3, b"built by GCC 14.3.1\n" * 3
    text = page(one, other)
    look = quick_diff(io.BytesIO(one), io.BytesIO(other)).diff
    first = next(sentences(look))
    assert first == "`version in line 1` says 14.2.0, the rebuild 14.3.1"
    assert text.index(first) < text.index("<table>")
    assert "<td>version in line 1</td>" in text
    assert str(Digest.of(one)) in text


def test_text_of_the_files_cannot_act_in_the_page() -> None:
    text = page(f"{EVIL} 1\n".encode(), f"{EVIL} 2\n".encode())
    assert not {"script", "a", "img", "iframe", "form", "link"} & set(Tags(text).tags)
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "default-src 'none'" in text

"""Text of others, made fit to be shown: what a terminal or browser would obey or hide is visible.

Everything that is shown goes through `escaped`: on a terminal (`pipelines.cli.console`), in logs
(`builders.core.log_records`), in HTML, in JSON and in what is sent to Prefect.
"""

from __future__ import annotations

import json
import re
from typing import Any

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""What Python calls printable, and no reader can see: fillers, joiners, selectors of variants."""
_NOT_PLAIN = re.compile("[^ -~]")
"""All but printable ASCII, of which logs mostly consist."""
_MARKDOWN = re.compile(r"^[-+]|[\\`*_{}\[\]()<>#!|~&:.@]")


def escaped(text: str, *, keep: str = "") -> str:
    r"""Return `text` with `\x1b` and the like for every character that nobody would see as itself.

    These are control characters (C0, DEL, C1), those that change the direction of text, those of
    no width, blanks other than a space, separators of lines, and lone surrogates. Characters in
    `keep`, such as newlines, stay. What is escaped already does not change.
    """
    if text.isprintable() and (text.isascii() or not _UNSEEN.search(text)):
        return text

    def shown(found: re.Match[str]) -> str:
        character = found[0]
        if character in keep or (character.isprintable() and not _UNSEEN.match(character)):
            return character
        return character.encode("unicode_escape").decode("ascii")

    return _NOT_PLAIN.sub(shown, text)


def entry(text: str, lead: str = "") -> str:
    """Return text of others as one entry, which no line of it can leave.

    Each line after the first begins with `lead` and a bar; tabs become blanks.
    """
    first, *rest = (escaped(line) for line in text.expandtabs().split("\n"))
    return "\n".join([first, *(f"{lead}| {line}" for line in rest)])


def json_text(document: Any) -> str:
    """Return a document as JSON that is safe to show: ASCII without control characters."""
    return json.dumps(document, indent=2)


def markdown(text: str) -> str:
    """Return text of others that is shown as it is where Markdown is read, on one line."""
    return _MARKDOWN.sub(r"\\\g<0>", escaped(text))

"""Log records whose texts cannot draw, forge a line or hide, whatever handler writes them.

Messages and tracebacks hold texts of others. They are escaped where a record is made, so that no
handler needs to: neither the last resort of `logging`, nor those that Prefect has.
"""

from __future__ import annotations

import logging
import traceback
from typing import Any

from builders.core.escaping import entry

_LEAD = "  "


class EscapedRecord(logging.LogRecord):
    """A record whose message and traceback are one entry each."""

    def __init__(self, *values: Any, **named: Any) -> None:
        """Keep the traceback as text: formatters write what they find there."""
        super().__init__(*values, **named)
        if self.exc_info and self.exc_info[0] is not None:
            lines = traceback.format_exception(*self.exc_info)
            self.exc_text = entry("".join(lines).rstrip("\n"), _LEAD)

    def getMessage(self) -> str:  # noqa: N802  # as logging has it
        """Return the message, with its lines after the first marked."""
        return entry(super().getMessage(), _LEAD)


def escape_logs() -> None:
    """Make all records of this process escaped ones."""
    logging.setLogRecordFactory(EscapedRecord)

"""What leads from each page to the others."""

from __future__ import annotations

from pipelines.portal.translation import translatable

NAVIGATION: tuple[tuple[str, str], ...] = (
    ("", translatable("Overview")),
    ("check/", translatable("Check a file")),
    ("alarms/", translatable("Alarms")),
    ("centers/", translatable("Centers")),
    ("policy/", translatable("Policy")),
    ("requests/", translatable("Requests")),
)
"""Paths and names of the pages that each page links to, in order."""

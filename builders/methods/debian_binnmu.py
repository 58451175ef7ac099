"""Build Debian binNMUs: rebuilds without a new source, with one more changelog entry.

Only packages for one architecture are built, never those for all. The entry is in no source, so it
is declared in the recipe, field by field, and is part of the claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from builders.core.frozen_model import FrozenModel
from builders.methods.base import Build
from builders.methods.debian import Profiles, jobs, profile_variables
from builders.methods.method import Command, Method, StagedInput, only_source

_DAY, _MONTH = "Mon|Tue|Wed|Thu|Fri|Sat|Sun", "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
ChangelogLine = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=500)]


class ChangelogEntry(FrozenModel):
    """The changelog entry of a binNMU, see deb-changelog(5)."""

    version: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9.+~:-]{0,127}\+b[1-9][0-9]{0,3}$",
            description="Version of the packages: that of the source, and +b1 or so.",
        ),
    ]
    distribution: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="The suite that it was made for."),
    ]
    urgency: Annotated[str, Field(pattern=r"^[a-z]{1,16}$", description="Nearly always low.")] = (
        "low"
    )
    changes: Annotated[
        tuple[ChangelogLine, ...],
        Field(min_length=1, max_length=50, description="Its lines, without the spaces in front."),
    ]
    by: Annotated[
        str,
        Field(
            pattern=r"^[^<>\x00-\x1f\x7f]+ <[^<>\s\x00-\x1f\x7f]+>$",
            max_length=200,
            description="Name and address of the builder.",
        ),
    ]
    date: Annotated[
        str,
        Field(
            pattern=rf"^({_DAY}), [ 0-3]?[0-9] ({_MONTH}) [0-9]{{4}} "
            r"[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}$",
            description="When, as a changelog writes it.",
        ),
    ]

    def text(self, source: str) -> str:
        """Return the entry for the changelog of `source`, without the final newline."""
        head = f"{source} ({self.version}) {self.distribution}; urgency={self.urgency}"
        changes = [f"  {line}" if line else "" for line in self.changes]
        return "\n".join(
            [f"{head}, binary-only=yes", "", *changes, "", f" -- {self.by}  {self.date}"]
        )


class DebianBinnmuBuild(Build):
    """Build the packages of a source package for this architecture, as a binNMU."""

    method: Annotated[
        Literal["debian-binnmu"], Field(description="dpkg-buildpackage -B, with a changelog entry.")
    ]
    profiles: Profiles = ()
    entry: Annotated[ChangelogEntry, Field(description="The entry that no source has.")]


def _command(build: DebianBinnmuBuild, staged: Sequence[StagedInput], cores: int) -> Command:
    source = only_source(staged, (".dsc",))
    entry = build.entry.text(source.name.partition("_")[0])
    return Command(
        arguments=(source.path, jobs(build, cores), entry),
        variables=profile_variables(build.profiles),
    )


METHOD = Method(name="debian-binnmu", script="debianbinnmu.sh", command=_command)

"""A center: who rebuilds, and where its things are.

Without a center file there is an implicit center `local`, with everything below SAMEBITS_HOME.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from builders.yamlfile import load_document, parse_model

LOCAL = "local"

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class CenterFile(BaseModel):
    """The file that describes a center; relative paths start at its folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Annotated[Literal["samebits/center/v1"], Field(alias="schema")]
    id: Identifier
    home: str | None = None
    store: str | None = None
    mirrors: tuple[str, ...] = ()


class Center(BaseModel):
    """One center, with its folders resolved."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    home: Path
    store: Path
    mirrors: tuple[str, ...] = ()
    """Base addresses of further Debian mirrors, such as a snapshot service of the center's own."""

    @property
    def runs(self) -> Path:
        """Where the folders of running rebuilds are."""
        return self.home / "runs"


def samebits_home() -> Path:
    """Return SAMEBITS_HOME, by default `samebits` in the user's data folder."""
    if home := os.environ.get("SAMEBITS_HOME"):
        return Path(home).absolute()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser().absolute() / "samebits"


def load_center(path: Path | None) -> Center:
    """Read a center file, or return the implicit center; raises `RecipeError`."""
    if path is None:
        home = samebits_home()
        return Center(id=LOCAL, home=home, store=home / "store")
    center = parse_model(load_document(path), CenterFile)
    base = path.parent.absolute()
    home = base / center.home if center.home else samebits_home() / "centers" / center.id
    return Center(
        id=center.id,
        home=home,
        store=base / center.store if center.store else home / "store",
        mirrors=center.mirrors,
    )

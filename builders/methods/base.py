"""What all methods share: the builder image and the declared environment.

The declared environment is part of the claim. A difference that comes from the vendor's build
machine is closed by declaring that machine's environment here and rebuilding, not by masking the
difference afterwards.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from builders.container.folderorder import HASHED, FolderOrder
from builders.core.frozen_model import FrozenModel
from builders.methods.clock import Clock

BASE_VARIABLES = {
    "HOME": "/tmp/home",  # noqa: S108  # inside the container, on its own scratch space
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
RESERVED_VARIABLES = frozenset({"TZ", "LC_ALL", "HOME", "HOSTNAME", "TMPDIR", "PWD"})
_DEFINITION = r"[a-z0-9][a-z0-9.-]*"
_REFERENCE = r"[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}"
_SELF_CONTAINED = re.compile(r"UTC|[A-Za-z]{3,}[+-]?\d{1,2}([A-Za-z]{3,})?")
"""Zones that a C library reads without a file: UTC, and the POSIX form such as `CET-1CEST`."""
_BUILD_PATHS = ("/build", "/home", "/srv", "/opt", "/mnt", "/usr/src", "/usr/local/src")


def _image(text: str) -> str:
    pinned = "name@sha256:<64 hex digits>"
    if "@sha256:" in text:
        if re.fullmatch(_REFERENCE, text):
            return text
        raise ValueError(f"expected {pinned}")
    if ":" in text or "/" in text:
        raise ValueError(
            f"a tag can move to another image; expected {pinned}, or the name of a definition in "
            "recipes/images"
        )
    if not re.fullmatch(_DEFINITION, text):
        raise ValueError(f"expected the name of a definition in recipes/images, or {pinned}")
    return text


def _build_path(text: str) -> str:
    path = PurePosixPath(text)
    inside = any(path.is_relative_to(folder) for folder in _BUILD_PATHS)
    if not inside or ".." in path.parts or str(path) != text:
        raise ValueError(f"expected a clean absolute path below {', '.join(_BUILD_PATHS)}")
    return text


def _unreserved(environment: dict[str, str]) -> dict[str, str]:
    if reserved := RESERVED_VARIABLES & environment.keys():
        raise ValueError(
            f"{min(reserved)} is set from its own field: use timezone, locale, hostname or path"
        )
    return environment


ImageName = Annotated[
    str,
    AfterValidator(_image),
    WithJsonSchema(
        {
            "type": "string",
            "description": "A definition in recipes/images, or name@sha256:<digest>; never a tag.",
            "pattern": f"^({_DEFINITION}|{_REFERENCE})$",
        }
    ),
]
BuildPath = Annotated[
    str,
    AfterValidator(_build_path),
    WithJsonSchema(
        {
            "type": "string",
            "description": "The folder in which the build runs: files can remember its name.",
            "pattern": rf"^(?!.*/\.{{0,2}}(/|$))({'|'.join(_BUILD_PATHS)})(/.*)?$",
        }
    ),
]
MAX_TEXT = 128 << 10
"""Bytes of a build section as JSON: it says how to build, and carries no data."""
VariableName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)
]
VariableValue = Annotated[str, StringConstraints(max_length=32768, pattern=r"^[^\x00]*$")]
OctalMode = Annotated[str, StringConstraints(pattern=r"^0?[0-7]{3}$")]


class Build(FrozenModel):
    """The build section of a recipe; subclasses add `method` and its parameters."""

    two_steps: ClassVar[bool] = False
    """Whether the method has a second step, at which a declared clock can move on."""
    image: ImageName
    environment: Annotated[
        dict[VariableName, VariableValue],
        AfterValidator(_unreserved),
        Field(
            max_length=256,
            description="Further environment variables of the build.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = {}  # noqa: RUF012  # pydantic copies it
    umask: Annotated[OctalMode, Field(description="The umask of the build, in octal.")] = "022"
    timezone: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_+/-]{1,64}$", description="TZ of the build.")
    ] = "UTC"
    locale: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$", description="LC_ALL of the build.")
    ] = "C.UTF-8"
    path: BuildPath = "/build/reproducible-path"
    hostname: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
            description="The host name that the build sees.",
        ),
    ] = "builder"
    clock: Annotated[
        Clock | None,
        Field(description="The time that the build reads; without it, the real one."),
    ] = None
    folder_order: Annotated[
        FolderOrder,
        Field(
            description="How folders list their files: hashed, by a hash of the names; hashed-1 to "
            "hashed-999, with other seeds; or created, in the order in which they were made. Old "
            "tools keep that order."
        ),
    ] = HASHED

    @field_validator("clock")
    @classmethod
    def _has_step(cls, clock: Clock | None) -> Clock | None:
        if clock is not None and clock.then is not None and not cls.two_steps:
            raise ValueError("expected no `then`: only method wheel has a second step")
        return clock

    @model_validator(mode="after")
    def _is_short(self) -> Self:
        if (size := len(self.model_dump_json().encode())) > MAX_TEXT:
            raise ValueError(
                f"{size} bytes of declared text; expected at most {MAX_TEXT}: data is an input"
            )
        return self

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the build, without those of its method."""
        return {**BASE_VARIABLES, "LC_ALL": self.locale, "TZ": self.timezone, **self.environment}

    @property
    def needs_zone_file(self) -> bool:
        """Whether programs read a file for the declared time zone.

        If the image has none, they would silently use UTC, so a script checks it before the build.
        """
        return not _SELF_CONTAINED.fullmatch(self.timezone)

    def declared_environment(self) -> dict[str, str | dict[str, str]]:
        """Return the environment as the claim contains it; every value is text."""
        clock = {"clock": self.clock.declared()} if self.clock else {}
        order = {} if self.folder_order == HASHED else {"folder_order": self.folder_order}
        return {
            **clock,
            **order,
            "hostname": self.hostname,
            "locale": self.locale,
            "path": self.path,
            "timezone": self.timezone,
            "umask": self.umask.zfill(4),
            "variables": {**BASE_VARIABLES, **self.environment},
        }

"""What every way of building shares: the image, and the declared environment.

The declared environment is part of the claim: a difference that comes from the vendor's own
machine is closed by declaring it here and rebuilding, never by masking it afterwards.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
)

from builders.container.folderorder import HASHED, FolderOrder
from builders.methods.clock import Clock

BASE_VARIABLES = {
    "HOME": "/tmp/home",  # noqa: S108  # inside the container, on its own scratch space
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
RESERVED_VARIABLES = frozenset({"TZ", "LC_ALL", "HOME", "HOSTNAME", "TMPDIR", "PWD"})
_DEFINITION = r"[a-z0-9][a-z0-9.-]*"
_REFERENCE = r"[a-z0-9][a-z0-9._/:-]*@sha256:[0-9a-f]{64}"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_BUILD_PATHS = ("/build", "/home", "/srv", "/opt", "/mnt", "/usr/src", "/usr/local/src")


class FrozenModel(BaseModel):
    """A frozen value in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _image(text: str) -> str:
    if "@sha256:" in text:
        if re.fullmatch(_REFERENCE, text):
            return text
        message = "expected name@sha256:<64 hex digits>"
        raise ValueError(message)
    if ":" in text or "/" in text:
        message = (
            "an image tag can be moved to other bytes; expected name@sha256:<digest>, or the name "
            "of a definition in recipes/images"
        )
        raise ValueError(message)
    if not re.fullmatch(_DEFINITION, text):
        message = "expected the name of a definition in recipes/images, or name@sha256:<digest>"
        raise ValueError(message)
    return text


def _build_path(text: str) -> str:
    path = PurePosixPath(text)
    inside = any(
        text == p.rstrip("/") or text.startswith(p.rstrip("/") + "/") for p in _BUILD_PATHS
    )
    if not inside or ".." in path.parts or str(path) != text:
        message = f"expected a clean absolute path below {', '.join(_BUILD_PATHS)}"
        raise ValueError(message)
    return text


def _unreserved(environment: dict[str, str]) -> dict[str, str]:
    if taken := RESERVED_VARIABLES & environment.keys():
        message = f"{min(taken)} is set from its own field: use timezone, locale, hostname or path"
        raise ValueError(message)
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
Variable = Annotated[str, StringConstraints(pattern=_VARIABLE, max_length=128)]
Value = Annotated[str, StringConstraints(max_length=32768, pattern=r"^[^\x00]*$")]


class Build(FrozenModel):
    """How to build: subclasses add `method` and the parameters of that method."""

    two_steps: ClassVar[bool] = False
    """Whether the method has a second step, at which a declared clock can go on."""
    image: ImageName
    environment: Annotated[
        dict[Variable, Value],
        AfterValidator(_unreserved),
        Field(
            max_length=256,
            description="Further environment variables of the build.",
            json_schema_extra={"additionalProperties": False},
        ),
    ] = {}
    umask: Annotated[
        str,
        StringConstraints(pattern=r"^0?[0-7]{3}$"),
        Field(description="The umask of the build, in octal."),
    ] = "022"
    timezone: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$"),
        Field(description="TZ of the build."),
    ] = "UTC"
    locale: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,64}$"),
        Field(description="LC_ALL of the build."),
    ] = "C.UTF-8"
    path: BuildPath = "/build/reproducible-path"
    hostname: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        Field(description="The host name that the build sees."),
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
            message = "expected no `then`: only method wheel has a second step"
            raise ValueError(message)
        return clock

    def variables(self) -> dict[str, str]:
        """Return every environment variable that the build sees, but those of its method."""
        return {
            **BASE_VARIABLES,
            "LC_ALL": self.locale,
            "TZ": self.timezone,
            **self.environment,
        }

    def declared_environment(self) -> dict[str, str | dict[str, str]]:
        """Return what the claim holds of the environment; every value is text."""
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

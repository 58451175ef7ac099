"""The parameters of a packing, as a recipe declares them.

They are few typed scalars: a level, a time, an order. What they cannot say is no packing, and is
not made.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from builders.core.frozen_model import FrozenModel, duplicate

Library = Literal["zlib", "zlib-ng", "libdeflate", "zopfli"]
Strategy = Literal["default", "filtered", "huffman", "rle", "fixed"]
Check = Literal["none", "crc32", "crc64", "sha256"]
Rest = Literal["kept", "sorted", "reversed", "walked"]
LEVELS: dict[Library, range] = {
    "zlib": range(10),
    "zlib-ng": range(10),
    "libdeflate": range(13),
    "zopfli": range(1, 101),
}
"""The levels that a library takes; of zopfli, the number of iterations."""
MAX_NAMES = 64
MemberName = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class DeflateEncoder(FrozenModel):
    """What wrote a deflate stream (RFC 1951)."""

    library: Annotated[Library, Field(description="Whose encoder.")] = "zlib"
    level: Annotated[
        int, Field(ge=0, le=100, description="Its level; of zopfli, the number of iterations.")
    ] = 6
    memory_level: Annotated[
        int, Field(ge=1, le=9, description="memLevel, of zlib and zlib-ng.")
    ] = 8
    strategy: Annotated[Strategy, Field(description="Of zlib and zlib-ng.")] = "default"

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        levels = LEVELS[self.library]
        if self.level not in levels:
            raise ValueError(
                f"level {self.level}; {self.library} has {levels.start} to {levels.stop - 1}"
            )
        tuned = (self.memory_level, self.strategy) != (8, "default")
        if tuned and self.library not in {"zlib", "zlib-ng"}:
            raise ValueError(f"{self.library} has no memory_level and no strategy")
        return self

    def __str__(self) -> str:
        """Return what is not usual, in words."""
        words: list[str] = [] if self.library == "zlib" else [self.library]
        words.append(f"level {self.level}")
        if self.memory_level != 8:
            words.append(f"memory level {self.memory_level}")
        if self.strategy != "default":
            words.append(f"strategy {self.strategy}")
        return " ".join(words)


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := duplicate(names):
        raise ValueError(f"expected each member once; {twice!r} is there twice")
    return names


class MemberOrder(FrozenModel):
    """The order of the members of an archive."""

    first: Annotated[
        tuple[MemberName, ...],
        Field(max_length=MAX_NAMES, description="Members that stand first, in this order."),
        AfterValidator(_distinct),
    ] = ()
    rest: Annotated[
        Rest,
        Field(
            description="The others: kept as the build left them; sorted by the bytes of their "
            "paths; reversed; or walked, the files of each folder before the folders in it."
        ),
    ] = "kept"
    last: Annotated[
        tuple[MemberName, ...],
        Field(
            max_length=MAX_NAMES,
            description="Members and folders that stand last; members of a folder in the order of "
            "the rest.",
        ),
        AfterValidator(_distinct),
    ] = ()

    def __str__(self) -> str:
        """Return the order in words."""
        named = f"{', '.join(self.first)} first, " if self.first else ""
        last = f", {', '.join(self.last)} last" if self.last else ""
        return f"{named}{'the rest' if named else 'members'} {self.rest}{last}"


Order = Annotated[MemberOrder | None, Field(description="The order of its members.")]


class TarPacking(FrozenModel):
    """A tar archive, whose members are put in another order."""

    format: Annotated[Literal["tar"], Field(description="What kind of file it is.")]
    order: MemberOrder

    def __str__(self) -> str:
        """Return the packing in words."""
        return f"tar, {self.order}"


Content = Annotated[
    TarPacking | None, Field(description="The packing of the tar that is compressed.")
]


class GzipPacking(FrozenModel):
    """A gzip file of one member (RFC 1952), without extra field, comment and header checksum."""

    format: Annotated[Literal["gzip"], Field(description="What kind of file it is.")] = "gzip"
    encoder: Annotated[DeflateEncoder, Field(description="What compressed it.")] = DeflateEncoder()
    os: Annotated[int, Field(ge=0, le=255, description="The byte OS: 3 is Unix.")] = 3
    mtime: Annotated[
        int, Field(ge=0, le=0xFFFFFFFF, description="The time in its header, in seconds.")
    ] = 0
    xfl: Annotated[
        int | None,
        Field(ge=0, le=255, description="The byte XFL; by default as zlib sets it by the level."),
    ] = None
    name: Annotated[
        str | None,
        Field(pattern=r"^[\x20-\x7e\xa0-\xff]{1,255}$", description="The file name in its header."),
    ] = None
    content: Content = None

    @property
    def flags(self) -> int:
        """Return the byte XFL."""
        if self.xfl is not None:
            return self.xfl
        fast = self.encoder.level < 2 or self.encoder.strategy in {"huffman", "rle", "fixed"}
        return 2 if self.encoder.level == 9 else 4 if fast else 0

    def __str__(self) -> str:
        """Return the packing in words."""
        words = [f"gzip {self.encoder}", f"OS {self.os}"]
        words += [f"mtime {self.mtime}"] if self.mtime else []
        words += [] if self.xfl is None else [f"XFL {self.xfl}"]
        words += [] if self.name is None else [f"name {self.name}"]
        content = "" if self.content is None else f", {self.content}"
        return " ".join(words) + content


class XzPacking(FrozenModel):
    """An xz file of one stream with the filter LZMA2, as liblzma writes it."""

    format: Annotated[Literal["xz"], Field(description="What kind of file it is.")] = "xz"
    preset: Annotated[int, Field(ge=0, le=9, description="The preset, as in xz -6.")] = 6
    extreme: Annotated[bool, Field(description="The slower variant, as in xz -6e.")] = False
    check: Annotated[Check, Field(description="The checksum of the content.")] = "crc64"
    dictionary: Annotated[
        int | None,
        Field(
            ge=4096, le=64 << 20, description="Bytes of the dictionary; by default of the preset."
        ),
    ] = None
    threads: Annotated[
        bool,
        Field(
            description="The layout of the encoder with threads: blocks that can be read alone, "
            "with their sizes in front."
        ),
    ] = False
    block_size: Annotated[
        int | None,
        Field(
            ge=4096,
            le=1 << 40,
            description="Bytes of content in one block; by default one block, and with threads "
            "three dictionaries, 1 MiB at least.",
        ),
    ] = None
    content: Content = None

    def __str__(self) -> str:
        """Return the packing in words."""
        words = [f"xz preset {self.preset}{'e' if self.extreme else ''}", f"check {self.check}"]
        words += [] if self.dictionary is None else [f"dictionary {self.dictionary}"]
        words += ["threads"] if self.threads else []
        words += [] if self.block_size is None else [f"blocks of {self.block_size}"]
        content = "" if self.content is None else f", {self.content}"
        return " ".join(words) + content


class ZipAlignment(FrozenModel):
    """Where the content of stored members begins: at multiples of so many bytes."""

    bytes: Annotated[int, Field(ge=2, le=65536, description="For each stored member.")] = 4
    libraries: Annotated[
        int | None, Field(ge=2, le=65536, description="For each stored *.so; by default the same.")
    ] = None
    padding: Annotated[
        Literal["zeros", "d935"],
        Field(
            description="What fills the extra field: zeros, as zipalign writes, or the field "
            "0xd935 of apksigner."
        ),
    ] = "zeros"

    def __str__(self) -> str:
        """Return the alignment in words."""
        libraries = f", libraries {self.libraries}" if self.libraries else ""
        return f"aligned to {self.bytes}{libraries} with {self.padding}"


class ZipPacking(FrozenModel):
    """A zip file, whose deflated members are compressed again."""

    format: Annotated[Literal["zip"], Field(description="What kind of file it is.")] = "zip"
    encoder: Annotated[
        DeflateEncoder | None, Field(description="What compressed all deflated members.")
    ] = None
    order: Order = None
    alignment: Annotated[ZipAlignment | None, Field(description="Of stored members.")] = None

    def __str__(self) -> str:
        """Return the packing in words."""
        parts = [self.encoder and f"deflate {self.encoder}", self.order, self.alignment]
        return f"zip {', '.join(str(part) for part in parts if part)}"


class ArPacking(FrozenModel):
    """An ar archive, a .deb among them, some of whose members are compressed again."""

    format: Annotated[Literal["ar"], Field(description="What kind of file it is.")] = "ar"
    members: Annotated[
        dict[MemberName, Annotated[GzipPacking | XzPacking, Field(discriminator="format")]],
        Field(min_length=1, max_length=16, description="The packing of members, by their names."),
    ]

    def __str__(self) -> str:
        """Return the packing in words."""
        return "; ".join(f"{name} {packing}" for name, packing in self.members.items())


Packing = Annotated[
    GzipPacking | XzPacking | ZipPacking | ArPacking | TarPacking, Field(discriminator="format")
]


def declared(model: FrozenModel) -> dict[str, object]:
    """Return what a recipe says of a packing: all but defaults, as plain data."""
    found: dict[str, object] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if name != "format" and value == field.default:
            continue
        match value:
            case FrozenModel():
                found[name] = declared(value)
            case dict():
                found[name] = {key: declared(inside) for key, inside in value.items()}
            case tuple():
                found[name] = list(value)
            case _:
                found[name] = value
    return found

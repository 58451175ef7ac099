"""The order of members, and the packing of zip files, each of a shipped and a rebuilt file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, BinaryIO, get_args

from builders.packing.parameters import (
    MAX_NAMES,
    DeflateEncoder,
    MemberOrder,
    Rest,
    ZipAlignment,
    ZipPacking,
)
from builders.packing.tar_order import piece, rest_keys
from builders.packing.zip_layout import DEFLATED, ZipFile, ZipMember, content, read_zip
from pipelines.judge.packing.compressed_files import UNKNOWN, Deadline, UnknownPackingError, reading
from pipelines.judge.packing.encoders import encoders, gives, is_affordable

_ALIGNED = b"\x35\xd9"
_LIBRARIES = (None, 4096, 16384)


def member_order(theirs: Sequence[str], ours: Sequence[str]) -> MemberOrder | None:
    """Return the order that makes `ours` into `theirs`; None where they are in one order.

    Raises `UnknownPackingError`.
    """
    if list(theirs) == list(ours):
        return None
    if len(set(ours)) < len(ours) or sorted(theirs) != sorted(ours):
        raise UnknownPackingError("not the same members, or one that is there twice")
    folder, inside, _ = theirs[-1].partition("/")
    places = {path: place for place, path in enumerate(ours)}
    tried = []
    for last, rest in product(((), (folder,)) if folder and inside else ((),), get_args(Rest)):
        try:
            keys = rest_keys(ours, MemberOrder.model_validate({"rest": rest, "last": last}))
        except ValueError:  # a folder with an odd name
            continue
        begin, end = _longest_run([keys[places[path]] for path in theirs])
        tried.append({"first": tuple(theirs[:begin]), "rest": rest, "last": (*last, *theirs[end:])})
    fewest = min(tried, key=lambda order: len(order["first"]) + len(order["last"]))
    if max(len(fewest["first"]), len(fewest["last"])) > MAX_NAMES:
        raise UnknownPackingError("its members are in an order without a rule")
    try:
        return MemberOrder.model_validate(fewest)
    except ValueError as error:
        raise UnknownPackingError("a member that stands first or last has an odd name") from error


def _longest_run(keys: Sequence[Any]) -> tuple[int, int]:
    """Return where the longest run of keys that are in order begins and ends."""
    best, begin = (0, 0), 0
    for end in range(1, len(keys) + 1):
        if end == len(keys) or not keys[end - 1] < keys[end]:
            best = max(best, (begin, end), key=lambda run: run[1] - run[0])
            begin = end
    return best


def zip_packings(theirs: BinaryIO, ours: BinaryIO, deadline: Deadline) -> Iterator[ZipPacking]:
    """Yield what may make a rebuilt zip into the shipped one; raises `UnknownPackingError`.

    Raises `ArchiveError` for what is no sound zip.
    """
    shipped, rebuilt = read_zip(theirs), read_zip(ours)
    order = member_order([m.path for m in shipped.members], [m.path for m in rebuilt.members])
    encoder = _encoder(theirs, shipped, ours, rebuilt, deadline)
    for alignment in _alignments(shipped, rebuilt):
        deadline.check()
        yield ZipPacking(encoder=encoder, order=order, alignment=alignment)


def zip_encoder(file: BinaryIO, deadline: Deadline) -> DeflateEncoder | None:
    """Return what compressed all deflated members; None where there are none.

    Raises `UnknownPackingError`, and `ArchiveError` for what is no sound zip.
    """
    members = sorted(
        (m for m in read_zip(file).members if m.method == DEFLATED),
        key=lambda member: -member.packed,
    )
    if not members:
        return None
    largest = max(int.from_bytes(m.record[24:28], "little") for m in members)
    for encoder in encoders():
        deadline.check()
        if is_affordable(encoder, largest) and all(_is_by(file, m, encoder) for m in members):
            return encoder
    raise UnknownPackingError(UNKNOWN)


def _encoder(
    theirs: BinaryIO, shipped: ZipFile, ours: BinaryIO, rebuilt: ZipFile, deadline: Deadline
) -> DeflateEncoder | None:
    """Return the encoder of the shipped file; None where the rebuilt one has the same streams."""
    known = {member.path: member for member in rebuilt.members}
    if all(
        member.packed == known[member.path].packed
        and _bytes(theirs, member) == _bytes(ours, known[member.path])
        for member in shipped.members
    ):
        return None
    return zip_encoder(theirs, deadline)


def _bytes(file: BinaryIO, member: ZipMember) -> bytes:
    return b"".join(piece(file, member.data, member.data + member.packed))


def _is_by(file: BinaryIO, member: ZipMember, encoder: DeflateEncoder) -> bool:
    packed = reading(file, member.data, member.data + member.packed)
    return gives(content(file, member), encoder, packed)


def _alignments(shipped: ZipFile, rebuilt: ZipFile) -> Iterator[ZipAlignment | None]:
    """Yield how stored members may be aligned, if their extra fields are not ours."""
    ours = {member.path: member.extra for member in rebuilt.members}
    if all(member.extra == ours[member.path] for member in shipped.members):
        yield None
        return
    stored = [member for member in shipped.members if member.method == 0]
    padding = "d935" if any(_ALIGNED in member.extra for member in stored) else "zeros"
    for size in (4, 8, 16, 4096):
        for libraries in _LIBRARIES:
            yield ZipAlignment.model_validate(
                {"bytes": size, "libraries": libraries, "padding": padding}
            )

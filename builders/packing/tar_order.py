"""Archives whose members are put in another order, as they are."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from typing import IO, BinaryIO, NamedTuple, assert_never

from builders.archives.limits import CHUNK, ArchiveError
from builders.packing.parameters import MemberOrder, Rest

MAX_MEMBERS = 100_000


class TarMember(NamedTuple):
    """A member of a tar with all its headers: its path, and where it is."""

    path: str
    start: int
    end: int


class TarMembers(NamedTuple):
    """The members of a tar in their order; what is before and after them stays there."""

    members: tuple[TarMember, ...]
    size: int


def tar_members(file: BinaryIO) -> TarMembers:
    """Read where the members of a tar are; raises `ArchiveError`."""
    size = file.seek(0, 2)
    file.seek(0)
    found: list[tarfile.TarInfo] = []
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for info in archive:
                found.append(info)
                if len(found) > MAX_MEMBERS:
                    raise ArchiveError("too many members in a tar", expected=MAX_MEMBERS)
            end = archive.offset
    except (tarfile.TarError, ValueError, OSError) as error:
        raise ArchiveError("a tar that cannot be put in order", got=error) from error
    ends = [*(info.offset for info in found), end][1:]
    pairs = zip(found, ends, strict=True)
    return TarMembers(tuple(TarMember(info.name, info.offset, at) for info, at in pairs), size)


def reordered_tar(file: BinaryIO, order: MemberOrder) -> Iterator[bytes]:
    """Yield a tar with its members in another order; raises `ArchiveError`."""
    members, size = tar_members(file)
    if not members:
        yield from piece(file, 0, size)
        return
    yield from piece(file, 0, members[0].start)
    for index in ordered([member.path for member in members], order):
        yield from piece(file, members[index].start, members[index].end)
    yield from piece(file, members[-1].end, size)


def ordered(paths: Sequence[str], order: MemberOrder) -> list[int]:
    """Return the places of the members in that order; raises `ArchiveError` for one not there."""
    places = {path: place for place, path in enumerate(paths)}
    if missing := [path for path in order.first if path not in places]:
        raise ArchiveError("a member that is to stand first is not there", got=missing[0])
    first = [places[path] for path in order.first]
    rest = sorted(set(range(len(paths))) - set(first), key=rest_keys(paths, order).__getitem__)
    return first + rest


def rest_keys(paths: Sequence[str], order: MemberOrder) -> list[tuple[object, ...]]:
    """Return by what the members that do not stand first are sorted, each by its place."""

    def late(path: str) -> int:
        return max((n for n, last in enumerate(order.last, 1) if _is_in(path, last)), default=0)

    return [(late(path), *_key(path, place, order.rest)) for place, path in enumerate(paths)]


def _is_in(path: str, last: str) -> bool:
    return path == last or path.startswith(f"{last.rstrip('/')}/")


def _key(path: str, place: int, rest: Rest) -> tuple[object, ...]:
    match rest:
        case "kept":
            return (place,)
        case "sorted":
            return (path.encode(),)
        case "reversed":
            return (tuple(-byte for byte in path.encode()), -len(path), -place)
        case "walked":
            *folders, name = path.encode().rstrip(b"/").split(b"/")
            return (*((1, folder) for folder in folders), (0, name))
        case other:
            assert_never(other)


def piece(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes of a file from `start` to `end`; raises `ArchiveError` if it has fewer."""
    while start < end:
        file.seek(start)
        data = file.read(min(CHUNK, end - start))
        if not data:
            raise ArchiveError("a file that ends early", got=f"{start} bytes", expected=end)
        yield data
        start += len(data)

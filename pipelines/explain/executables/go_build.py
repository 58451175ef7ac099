"""The build information that Go writes into programs: its version, the module, how it was built.

Source: Go's `debug/buildinfo`, format of Go 1.18 and later: two strings whose lengths stand before
them, the second between two marks of 16 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.explain.executables.named_lines import Line

MAGIC = b"\xff Go buildinf:"
_HEADER, _MARK = 32, 16
_INLINE = 2
_MAX_LENGTH = 1 << 20


def go_lines(data: bytes) -> Iterator[Line]:
    """Yield what build information says; nothing where `data` holds none."""
    start = data.find(MAGIC)
    if start < 0 or len(data) < start + _HEADER or not data[start + 15] & _INLINE:
        return
    version, at = _string(data, start + _HEADER)
    yield Line("Go version", version.decode("utf-8", "backslashreplace"))
    module, _ = _string(data, at)
    for line in module[_MARK:-_MARK].decode("utf-8", "backslashreplace").splitlines():
        word, _, rest = line.partition("\t")
        if word == "build":
            name, _, value = rest.partition("=")
            yield Line(f"Go setting {name}", value.strip('"'))
        elif word == "dep":
            name, _, value = rest.partition("\t")
            yield Line(f"Go dependency {name}", value.replace("\t", " "))
        elif word in {"path", "mod", "=>"}:
            names = {"path": "Go package", "mod": "Go module", "=>": "Go replacement"}
            yield Line(names[word], rest.replace("\t", " "))


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the string at an offset, and where it ends."""
    length = shift = 0
    while at < len(data) and shift < 28:
        byte = data[at]
        length |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            break
    length = min(length, _MAX_LENGTH)
    return data[at : at + length], at + length

"""Where a key in a PKCS#11 token is: a `pkcs11:` URI (RFC 7512), without a PIN in it.

Of the format these are read: `token` or `serial`, `object` or `id`, and in the query `module-path`
(the library of the token) and `pin-source` (a file of mode 0600). All of it is in one place, so
that nothing depends on the configuration of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from pipelines.evidence.errors import KeyFileError

SCHEME = "pkcs11:"
EXAMPLE = (
    "pkcs11:token=europe;object=statements"
    "?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/samebits/pin"
)
_PATH = {"token", "serial", "object", "id", "type"}
_QUERY = {"module-path", "pin-source"}


@dataclass(frozen=True, kw_only=True)
class TokenUri:
    """The values of a URI, decoded."""

    place: str
    """The URI up to its query, for messages."""
    token: str | None
    serial: bytes | None
    label: str | None
    id: bytes | None
    module: Path
    pin_source: Path


def names_token(uri: str) -> bool:
    """Say whether the URI names a key in a PKCS#11 token."""
    return uri[: len(SCHEME)].lower() == SCHEME


def parse_token_uri(uri: str) -> TokenUri:
    """Read a `pkcs11:` URI; raises `KeyFileError`, whose message shows no PIN."""
    if "pin-value" in unquote(uri).lower():
        raise KeyFileError(
            "a PIN does not belong into the URI of a key",
            got="pin-value",
            expected="pin-source=FILE",
            todo="Put the PIN into a file of mode 0600, and change a PIN that others could read",
        )
    place, _, query = uri.partition("?")
    path = _attributes(place[len(SCHEME) :], ";", _PATH)
    options = _attributes(query, "&", _QUERY)
    if path.pop("type", "private") != "private":
        raise _wrong("another type", "type=private, or none")
    if not path.keys() & {"token", "serial"} or not path.keys() & {"object", "id"}:
        raise _wrong(", ".join(sorted(path)) or "nothing", "token or serial, and object or id")
    return TokenUri(
        place=place,
        token=_text(path.get("token")),
        serial=_bytes(path.get("serial")),
        label=_text(path.get("object")),
        id=_bytes(path.get("id")),
        module=_file(options, "module-path"),
        pin_source=_file(options, "pin-source"),
    )


def _attributes(text: str, separator: str, known: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, text.split(separator)):
        name, _, value = part.partition("=")
        if name not in known or name in found or not value:
            got = "one twice, or without a value" if name in known else ascii(name[:40])
            raise _wrong(got, f"{', '.join(sorted(known))}, each once")
        found[name] = value
    return found


def _text(value: str | None) -> str | None:
    return None if value is None else unquote(value)


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else unquote_to_bytes(value)


def _file(options: dict[str, str], name: str) -> Path:
    path = Path(unquote(options.get(name, "").removeprefix("file:")))
    if not path.is_absolute():
        raise _wrong(f"{name} {str(path)!a}", f"{name} with an absolute path")
    return path


def _wrong(got: str, expected: str) -> KeyFileError:
    return KeyFileError(
        "the URI of a key in a token cannot be used",
        got=got,
        expected=expected,
        todo=f"Write it as in {EXAMPLE}",
    )

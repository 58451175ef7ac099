"""RAUC bundles: our squashfs with the vendor's CMS signature (docs/reference.rst of RAUC).

A bundle is a payload, a CMS SignedData, and the size of that in 8 bytes. In format plain it signs
the payload. In format verity it holds and signs the manifest, which has root hash and salt of the
hash tree that follows the squashfs; the tree is made anew from our squashfs. What rebuilds is the
bundle itself, signed with a key of no meaning: its manifest has to be that of the shipped one. In
format plain the squashfs alone will do, since the manifest is in it.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from builders.core.digest import CHUNK
from builders.recipe.signature import PinnedSignature, SignedFormat
from pipelines.judge.signatures.der import DerError, Value, children, der_header
from pipelines.judge.signatures.left_out import after_squashfs
from pipelines.judge.signatures.pins import pins_of
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    SignatureFormat,
    Uncovered,
    VerifiedSignatures,
    check_signers,
    unreadable,
)
from pipelines.judge.signatures.signed_data import verify_signed_data
from pipelines.judge.signatures.splice import (
    Derived,
    HashTree,
    Own,
    Piece,
    SpliceLimits,
    SplicePlan,
    Taken,
)
from pipelines.judge.signatures.verity import BLOCK, hash_tree, tree_size

_SQUASHFS = b"hsqs"
_SIZE = 8
_MAX_CMS = 256 << 10
_SIGNED, _ENVELOPED = "1.2.840.113549.1.7.2", "1.2.840.113549.1.7.3"
_DATA = "1.2.840.113549.1.7.1"
_NAMES = {
    bytes.fromhex("2a864886f70d010702"): _SIGNED,
    bytes.fromhex("2a864886f70d010703"): _ENVELOPED,
    bytes.fromhex("2a864886f70d010701"): _DATA,
}
_OCTETS = 0x04
_LINE = re.compile(r"\[(?P<section>[^\[\]]+)\]|(?P<key>[A-Za-z0-9][A-Za-z0-9._-]*)=(?P<value>.*)")
_OF_THE_TREE = re.compile(rb"(?m)^verity-(hash|salt)=[0-9a-f]{64}$")
_HEX = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class _Verity:
    """What a manifest says of the hash tree."""

    root: bytes
    salt: bytes
    size: int


@dataclass(frozen=True, kw_only=True)
class _Bundle:
    """The parts of a bundle; offsets in bytes."""

    size: int
    cms: int
    """Where the signature begins."""
    der: bytes
    manifest: bytes | None
    """What the signature holds; None in format plain."""
    verity: _Verity | None

    @property
    def data(self) -> int:
        """How many bytes of squashfs there are."""
        return self.cms - (self.verity.size if self.verity else 0)


def _bundle(
    file: BinaryIO, whose: str, missing: SignatureFault = SignatureFault.MISSING
) -> _Bundle:
    file.seek(0)
    is_squashfs = file.read(4) == _SQUASHFS  # not so where it is encrypted
    size = file.seek(0, 2)
    file.seek(max(0, size - _SIZE))
    (length,) = struct.unpack(">Q", file.read(_SIZE).rjust(_SIZE, b"\0"))
    cms = size - _SIZE - length
    if not 0 < length <= _MAX_CMS or cms < BLOCK:
        what = f"the {whose} file does not end with the size of a signature"
        raise BadSignatureError(missing, what) if is_squashfs else unreadable(what)
    file.seek(cms)
    der = file.read(length)
    try:
        end = der_header(der)[1]
        if end < length:
            what = f"{length - end} bytes after the CMS signature"
            raise BadSignatureError(SignatureFault.SLACK, what)
        manifest = _content(der)
    except (DerError, ValueError, IndexError) as error:
        raise unreadable(f"a signature that is no CMS: {error}") from error
    verity = _verity(manifest) if manifest is not None else None
    found = _Bundle(size=size, cms=cms, der=der, manifest=manifest, verity=verity)
    if not is_squashfs:
        raise unreadable(f"the {whose} file does not begin with a squashfs")
    if found.data < BLOCK or found.data % BLOCK:
        what = f"a squashfs of {found.data} bytes, which are no whole blocks"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    return found


def _content(der: bytes) -> bytes | None:
    """Return what a SignedData holds; None where it is detached."""
    (outer,) = children(der, 0, len(der))
    name, wrapped = children(der, outer.begin, outer.end)
    kind = _NAMES.get(der[name.begin : name.end])
    if kind == _ENVELOPED:
        raise BadSignatureError(SignatureFault.ENCRYPTED, "a bundle that is encrypted")
    if kind != _SIGNED:
        raise unreadable("a CMS that is no SignedData")
    (data,) = children(der, wrapped.begin, wrapped.end)
    about = children(der, data.begin, data.end)[2]
    kind_of_content, *held = children(der, about.begin, about.end)
    if _NAMES.get(der[kind_of_content.begin : kind_of_content.end]) != _DATA:
        raise unreadable("a CMS over something else than data")
    if not held:
        return None
    (content,) = children(der, held[0].begin, held[0].end)
    return _octets(der, content)


def _octets(der: bytes, value: Value) -> bytes:
    if value.tag != _OCTETS:
        raise unreadable("a CMS whose content is no octets")
    return der[value.begin : value.end]


def _verity(manifest: bytes) -> _Verity:
    """Return what a manifest says of the hash tree; raises `BadSignatureError`."""
    bundle = _sections(manifest).get("bundle", {})
    kind = bundle.get("format")
    if kind == "crypt":
        raise BadSignatureError(SignatureFault.ENCRYPTED, "a bundle of format crypt")
    if kind != "verity":
        raise unreadable(f"a manifest of format {kind!a:.40}, expected verity")
    root, salt, size = (bundle.get(f"verity-{name}", "") for name in ("hash", "salt", "size"))
    if (
        not _HEX.fullmatch(root)
        or not _HEX.fullmatch(salt)
        or not re.fullmatch("[1-9][0-9]{0,17}", size)
    ):
        raise unreadable("a manifest without root hash, salt and size of its hash tree")
    return _Verity(root=bytes.fromhex(root), salt=bytes.fromhex(salt), size=int(size))


def _sections(manifest: bytes) -> dict[str, dict[str, str]]:
    """Return the keys of a key file by section; sections and keys are each there once."""
    try:
        lines = manifest.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise unreadable("a manifest that is no UTF-8") from error
    found: dict[str, dict[str, str]] = {}
    section = ""
    for line in lines:
        if not line or line.startswith("#"):
            continue
        parts = _LINE.fullmatch(line)
        if parts is None or (not section and parts["key"]):
            raise unreadable(f"a manifest with a line {line!a:.80}")
        section, key = parts["section"] or section, parts["key"] or ""
        if key in found[section] if key else section in found:
            what = f"[{section}] {key} is in the manifest twice"
            raise BadSignatureError(
                SignatureFault.DUPLICATE, what.encode().decode("ascii", "replace")
            )
        if key:
            found[section][key] = parts["value"]
        else:
            found[section] = {}
    return found


def bundle_manifest(file: BinaryIO) -> dict[str, dict[str, str]] | None:
    """Return the sections of the manifest in a bundle; None where the signature has none.

    Raises `BadSignatureError`.
    """
    manifest = _bundle(file, "shipped").manifest
    return None if manifest is None else _sections(manifest)


def plan(shipped: BinaryIO, rebuilt: BinaryIO) -> SplicePlan:
    """Return how our squashfs gets the hash tree and the signature of the shipped bundle."""
    theirs = _bundle(shipped, "shipped")
    ((end, size),) = after_squashfs(rebuilt)
    own = _bundle(rebuilt, "rebuilt", SignatureFault.LAYOUT) if end < size else None
    if own and own.der == theirs.der:
        what = "the rebuilt bundle has the signature of the shipped one"
        raise BadSignatureError(SignatureFault.REBUILT_IS_SIGNED, what)
    if end != theirs.data or (own and own.data != end):
        what = f"the shipped squashfs has {theirs.data} bytes, the rebuilt one {end}"
        raise BadSignatureError(SignatureFault.LAYOUT, what)
    if (theirs.manifest is not None or own) and _text(own) != _text(theirs):
        what = "the manifest in the signature is not that of the rebuilt bundle"
        raise BadSignatureError(SignatureFault.MANIFEST, what)
    pieces: list[Piece] = [Own(offset=0, length=end)]
    if theirs.verity:
        if theirs.verity.size != tree_size(end):
            what = f"a hash tree of {theirs.verity.size} bytes, expected {tree_size(end)}"
            raise BadSignatureError(SignatureFault.DIGEST, what)
        pieces.append(HashTree(length=end, salt=theirs.verity.salt.hex()))
    pieces.append(Taken(offset=theirs.cms, length=len(theirs.der), why="signature"))
    pieces.append(Derived(data=struct.pack(">Q", len(theirs.der)).hex()))
    return SplicePlan(pieces=tuple(pieces))


def _text(bundle: _Bundle | None) -> bytes | None:
    """Return the manifest without what differs from one run of the tool to the next."""
    if bundle is None or bundle.manifest is None:
        return None
    return _OF_THE_TREE.sub(rb"verity-\1=", bundle.manifest)


def verify(file: BinaryIO, pinned: PinnedSignature) -> VerifiedSignatures:
    """Verify the signature of a bundle over its payload, or over the root hash of it."""
    bundle = _bundle(file, "signed")

    def digest(algorithm: str) -> bytes:
        found = hashlib.new(algorithm)
        file.seek(0)
        left = bundle.cms
        while left and (data := file.read(min(CHUNK, left))):
            found.update(data)
            left -= len(data)
        return found.digest()

    plain = bundle.verity is None
    signed = verify_signed_data(bundle.der, pinned, detached=digest if plain else None)
    check_signers([signed.signer], pinned)
    if bundle.verity:
        _check_tree(file, bundle, bundle.verity)
    uncovered = [
        one.model_copy(update={"offset": bundle.cms + one.offset}) for one in signed.uncovered
    ]
    uncovered.append(Uncovered(offset=bundle.size - _SIZE, length=_SIZE, why="size"))
    return VerifiedSignatures(signers=(signed.signer,), uncovered=tuple(uncovered))


def _check_tree(file: BinaryIO, bundle: _Bundle, verity: _Verity) -> None:
    made = hash_tree(file, bundle.data, verity.salt)
    if made.root != verity.root:
        what = "the signed manifest has the root hash of another squashfs"
        raise BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, what)
    file.seek(bundle.data)
    if len(made.tree) != verity.size or file.read(verity.size) != made.tree:
        what = "the hash tree is not that of the squashfs"
        raise BadSignatureError(SignatureFault.DIGEST, what)


RAUC = SignatureFormat(
    plan=plan,
    verify=verify,
    pins=lambda file: pins_of(SignedFormat.RAUC, [_bundle(file, "shipped").der]),
    limits=SpliceLimits(replaced=1 << 62, derived=_SIZE, taken=_MAX_CMS, places=after_squashfs),
)

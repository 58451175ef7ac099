"""Signatures of jar archives, and version 1 of those of Android packages.

`META-INF/MANIFEST.MF` has the digest of each entry, `META-INF/NAME.SF` that of the manifest, and a
PKCS #7 beside it signs the latter. Every entry that is no signature file has to be in the manifest,
and every entry of the manifest in the archive. Sources: "JAR File Specification", Signed JAR File;
Android, "APK signing", JAR signing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from builders.recipe.signature import PinnedSignature
from pipelines.judge.signatures.manifest import JarManifest, ManifestSection, read_manifest
from pipelines.judge.signatures.raw_zip import RawZip, ZipEntry, entry_chunks, entry_content, shown
from pipelines.judge.signatures.signature_format import (
    BadSignatureError,
    SignatureFault,
    Signer,
    Uncovered,
    unreadable,
)
from pipelines.judge.signatures.signed_data import verify_signed_data
from pipelines.judge.signatures.splice import SplicePlan
from pipelines.judge.signatures.zip_plan import SignatureFiles, plan_zip

_MANIFEST = b"META-INF/MANIFEST.MF"
SIGNATURE_FILES = r"META-INF/(MANIFEST\.MF|[^/]+\.(SF|RSA|DSA|EC))"
"""Names of entries that are the signature, as a regular expression."""
_SIGNATURE_FILE = re.compile(SIGNATURE_FILES.encode())
_MAX_FILE = 32 << 20
_DATA = "1.2.840.113549.1.7.1"
_SHA2 = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
_SHA1 = {"sha1": "sha1", "sha-1": "sha1"}
_OF_MANIFEST, _OF_MAIN = "-digest-manifest", "-digest-manifest-main-attributes"
_SCHEMES = "x-android-apk-signed"
_HEADER = frozenset({"signature-version", "created-by", _SCHEMES})
_MADE = frozenset({"manifest-version", "created-by", "built-by"})
"""What a tool that signs writes into a manifest where there was none."""


@dataclass(frozen=True, kw_only=True)
class JarSignature:
    """Signatures over all entries of an archive."""

    signers: tuple[Signer, ...]
    schemes: frozenset[int]
    """Versions of signatures of Android packages that it says are there too."""


def is_signature_file(name: bytes) -> bool:
    """Say whether an entry is a part of the signature, by its name."""
    return _SIGNATURE_FILE.fullmatch(name) is not None


def has_signature(archive: RawZip) -> bool:
    """Say whether there is a signature file other than the manifest."""
    return any(is_signature_file(one.name) and one.name != _MANIFEST for one in archive.entries)


def verify_jar(
    file: BinaryIO, archive: RawZip, pinned: PinnedSignature, *, weak: bool = False
) -> JarSignature:
    """Verify every signature against the pinned signers, and each entry against the manifest.

    `weak` allows SHA-1, where something else is signed with more. Raises `BadSignatureError`.
    """
    algorithms = {**_SHA2, **(_SHA1 if weak else {})}
    files = {one.name: one for one in archive.entries if is_signature_file(one.name)}
    if _MANIFEST not in files:
        raise BadSignatureError(SignatureFault.MISSING, "the file has no META-INF/MANIFEST.MF")
    data = entry_content(file, files[_MANIFEST], _MAX_FILE)
    manifest = read_manifest(data, "MANIFEST.MF")
    signers, schemes = [], set[int]()
    for listed, block in _signature_pairs(files):
        content = entry_content(file, listed, _MAX_FILE)
        schemes |= _check_list(content, data, manifest, algorithms)
        signers.append(_signer(entry_content(file, block, _MAX_FILE), content, pinned, weak=weak))
    if not signers:
        raise BadSignatureError(SignatureFault.MISSING, "the file has no META-INF/*.SF")
    _check_entries(file, archive, manifest, algorithms)
    return JarSignature(signers=tuple(signers), schemes=frozenset(schemes))


def signature_blocks(file: BinaryIO, archive: RawZip) -> list[bytes]:
    """Return each PKCS #7 of an archive; raises `BadSignatureError`."""
    files = {one.name: one for one in archive.entries if is_signature_file(one.name)}
    return [entry_content(file, block, _MAX_FILE) for _, block in _signature_pairs(files)]


def _signature_pairs(files: Mapping[bytes, ZipEntry]) -> Iterator[tuple[ZipEntry, ZipEntry]]:
    """Yield each list of digests with the PKCS #7 that signs it."""
    named: dict[bytes, dict[bytes, ZipEntry]] = {}
    for name, entry in files.items():
        if name != _MANIFEST:
            base, _, ending = name.rpartition(b".")
            named.setdefault(base, {})[ending] = entry
    for base, parts in named.items():
        listed = parts.pop(b"SF", None)
        if listed is None or len(parts) != 1:
            what = f"{len(parts)} signatures and {'one' if listed else 'no'} .SF"
            raise unreadable(f"{shown(base)} has {what}, expected one of each")
        (block,) = parts.values()
        yield listed, block


def bytes_of_signature(archive: RawZip) -> list[Uncovered]:
    """Return the records of the signature files: what they hold is signed, how they do it is not.

    A signature over contents says nothing of headers and of how a content is compressed.
    """
    found = []
    for one in archive.entries:
        if is_signature_file(one.name):
            found.append(
                Uncovered(offset=one.start, length=one.end - one.start, why="signature-file")
            )
            length = one.record_end - one.record
            found.append(Uncovered(offset=one.record, length=length, why="directory-record"))
    return found


def plan_jar(
    shipped: BinaryIO,
    theirs: RawZip,
    rebuilt: BinaryIO,
    ours: RawZip,
    *,
    block: int | None = None,
) -> SplicePlan:
    """Return how our archive gets the signature files of the shipped one; see `plan_zip`."""
    files = SignatureFiles(taken=is_signature_file, replaced={_MANIFEST})
    made = plan_zip(shipped, theirs, ours, files, block=block)
    _check_manifest(shipped, theirs, rebuilt, ours)
    return made


def _check_manifest(shipped: BinaryIO, theirs: RawZip, rebuilt: BinaryIO, ours: RawZip) -> None:
    """Require that the manifest of the shipped file is ours, but for the digests of entries.

    It says what a jar archive runs, and it is taken from the shipped file.
    """
    one, other = _manifest(shipped, theirs), _manifest(rebuilt, ours)
    if one is None:
        return  # verified later: there is no signature without one
    own = other.main.attributes if other else {}
    extra = {n: v for n, v in one.main.attributes.items() if own.get(n) != v}
    if other is None:
        extra = {name: value for name, value in extra.items() if name not in _MADE}
    missing = own.keys() - one.main.attributes.keys()
    if extra or missing:
        what = f"main attributes {', '.join(sorted({*extra, *missing}))!a:.200}"
        raise BadSignatureError(SignatureFault.MANIFEST, what)
    sections = other.entries if other else {}
    for name in {**one.entries, **sections}:
        mine = sections[name].attributes if name in sections else {"name": name.decode()}
        if name not in one.entries or _others(one.entries[name]) != mine:
            raise BadSignatureError(SignatureFault.MANIFEST, f"the section of {shown(name)}")


def _manifest(file: BinaryIO, archive: RawZip) -> JarManifest | None:
    for one in archive.entries:
        if one.name == _MANIFEST:
            return read_manifest(entry_content(file, one, _MAX_FILE), "MANIFEST.MF")
    return None


def _others(section: ManifestSection) -> dict[str, str]:
    return {n: v for n, v in section.attributes.items() if not n.endswith("-digest")}


def _signer(der: bytes, content: bytes, pinned: PinnedSignature, *, weak: bool) -> Signer:
    found = verify_signed_data(
        der,
        pinned,
        detached=lambda algorithm: hashlib.new(algorithm, content).digest(),
        weak=weak,
    )
    if found.content_type != _DATA:
        raise unreadable(f"a signature over {found.content_type}")
    return found.signer


def _check_list(
    content: bytes, data: bytes, manifest: JarManifest, algorithms: dict[str, str]
) -> set[int]:
    """Require that a .SF is about a manifest; return the schemes that it says are there too.

    Its digests of sections decide nothing beside that of the whole manifest, and Android's Gradle
    plugin 2.2 wrote others: no verifier looks at them then.
    """
    listed = read_manifest(content, "a .SF")
    main = listed.main.attributes
    others = {name for name in main if not name.endswith((_OF_MANIFEST, _OF_MAIN))} - _HEADER
    if others:
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, f"{sorted(others)!a:.200}")
    _check_digests(main, _OF_MANIFEST, [data], "MANIFEST.MF", algorithms)
    if any(name.endswith(_OF_MAIN) for name in main):
        _check_digests(main, _OF_MAIN, [manifest.main.raw], "the main attributes", algorithms)
    for name, section in listed.entries.items():
        if name not in manifest.entries:
            what = f"a .SF names {shown(name)}, which the manifest does not"
            raise BadSignatureError(SignatureFault.MISSING_ENTRY, what)
        if extra := _others(section).keys() - {"name"}:
            raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, f"{sorted(extra)!a:.200}")
    schemes = [one.strip() for one in main.get(_SCHEMES, "").split(",") if one.strip()]
    if not set(schemes) <= {"2", "3"}:
        what = f"X-Android-APK-Signed: {main[_SCHEMES]!a:.100}"
        raise BadSignatureError(SignatureFault.UNEXPECTED_ATTRIBUTE, what)
    return set(map(int, schemes))


def _check_entries(
    file: BinaryIO, archive: RawZip, manifest: JarManifest, algorithms: dict[str, str]
) -> None:
    left = dict(manifest.entries)
    for entry in archive.by_place:
        if is_signature_file(entry.name):
            continue
        section = left.pop(entry.name, None)
        if entry.name.endswith(b"/") and not entry.size:
            continue
        if section is None:
            what = f"{shown(entry.name)} is not in the manifest"
            raise BadSignatureError(SignatureFault.UNSIGNED_ENTRY, what)
        chunks = entry_chunks(file, entry)
        _check_digests(section.attributes, "-digest", chunks, shown(entry.name), algorithms)
    for name, section in left.items():
        if not name.endswith(b"/") or len(section.attributes) > len(_others(section)):
            what = f"the manifest names {shown(name)}, which is not there"
            raise BadSignatureError(SignatureFault.MISSING_ENTRY, what)


def _check_digests(
    attributes: dict[str, str],
    ending: str,
    chunks: Iterable[bytes],
    what: str,
    algorithms: dict[str, str],
) -> None:
    """Require that the attributes with an ending are digests of something, at least one of them."""
    found = {n.removesuffix(ending): v for n, v in attributes.items() if n.endswith(ending)}
    known = {name: one for name, one in (_SHA2 | _SHA1).items() if name in found}
    if len(known) < len(found) or not known.keys() & algorithms.keys():
        names = ", ".join(found)
        raise BadSignatureError(SignatureFault.WEAK_DIGEST, f"{what} by {names!a:.100}, not SHA-2")
    digests = {name: hashlib.new(one) for name, one in known.items()}
    for chunk in chunks:
        for digest in digests.values():
            digest.update(chunk)
    for name, digest in digests.items():
        if found[name] != base64.b64encode(digest.digest()).decode():
            raise BadSignatureError(SignatureFault.SIGNED_OTHER_BYTES, f"{what} by {name}")

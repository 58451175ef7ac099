"""Bring a backup back into the home of a center that has no log, policy or store there yet.

Every byte is checked before anything of it is in the home: a file is unpacked beside the home, and
moved there when all of it has the digests of its manifest. Names that a backup cannot have are
refused, so that nothing is written elsewhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, NoReturn

from pydantic import ValidationError

from builders.core.digest import CHUNK, Digest, digest_file
from builders.core.errors import InfrastructureError, SamebitsError, UsageError
from pipelines.center.backup import MANIFEST, MARKER, NOT_KEPT, SIGNED, Manifest
from pipelines.center.center import Center
from pipelines.evidence.privatekey import KEY_USES, load_key
from pipelines.evidence.publickey import KeyUse, PublicKey, load_public_key
from pipelines.log.checkpoint import LogIdentity, open_checkpoint
from pipelines.log.cosignatures import cosigned_checkpoints
from pipelines.log.log_reader import published
from pipelines.log.witness import memory_file
from pipelines.policy import Policy, PolicyCenter, PolicyError, read_signed
from pipelines.policy.key_changes import newest_key
from pipelines.policy.signed_policy import accepted
from pipelines.storage import files as durable
from pipelines.storage.folders import opened_folder
from pipelines.storage.opening import open_store

_MAX_MANIFEST = 1 << 30
_SEGMENT = re.compile(r"[^\x00-\x1f/\x7f]{1,255}")
_ALLOWED = frozenset({"store"})
_EXPECTED = "a file that `samebits center backup` has written"


class KeyState(StrEnum):
    """Whether a center has the private key that its policy names."""

    THERE = "in place"
    MISSING = "missing"
    OTHER = "another than the policy's"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was brought back."""

    manifest: Manifest
    sha256: Digest
    folders: dict[str, int]
    """Files by the folder of the home."""
    signed: int | None
    """Leaves of the log that was signed last, as the backup knows; None where it does not."""
    stored: int | None
    """Leaves of the log in the store as it is now; None where it cannot be read, or is empty."""
    cosigned_since: tuple[str, ...]
    """Logs of others of which the store has newer cosignatures of this center than the backup."""
    keys: dict[str, KeyState]
    """By the use of a key."""


def restore_backup(
    center: Center,
    path: Path,
    *,
    sha256: Digest | None = None,
    count: Callable[[str], None] = lambda _: None,
) -> Restored:
    """Unpack the backup `path` into the home of `center`, which may have keys and nothing else.

    The file must have the digest `sha256`, if that is given. Raises `UsageError` for a home that is
    in use, for another file, a damaged one, or one of another center; `InfrastructureError`.
    """
    _require_unused(center)
    try:
        digest = digest_file(path)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read", got=error.strerror, expected=_EXPECTED
        ) from error
    if sha256 is not None and digest != sha256:
        raise UsageError(f"{path} is another file", got=f"sha256 {digest}", expected=sha256)
    center.home.parent.mkdir(parents=True, exist_ok=True)
    with _staging(center.home) as folder:
        manifest = _unpacked(path, folder, count)
        if manifest.center != center.id:
            raise UsageError(
                f"{path} is of another center", got=manifest.center, expected=center.id
            )
        if (folder / "store").is_dir() and center.store != center.home / "store":
            raise UsageError(
                f"{path} has a store, and center {center.id} has its own elsewhere",
                got=f"store {center.store}",
                expected=f"{center.home / 'store'}, as when the backup was made",
                todo="Restore with a center file that names no store, and copy it afterwards",
            )
        _move_in(folder, center.home)
    policy = _policy(center)
    since = tuple(_cosigned_since(center, policy)) if policy else ()
    signed, stored = _log_sizes(center, policy) if policy else (None, None)
    return Restored(
        manifest=manifest,
        sha256=digest,
        folders=dict(Counter(file.name.partition("/")[0] for file in manifest.files)),
        signed=signed,
        stored=stored,
        cosigned_since=since,
        keys=key_states(center, policy),
    )


def _require_unused(center: Center) -> None:
    home = center.home
    used = [path.name for path in home.iterdir() if path.name != "keys"] if home.is_dir() else []
    used += ["keys/log"] if (home / "keys" / "log").exists() else []
    if used:
        log = {"log", "store", "keys/log"} & set(used)
        raise UsageError(
            f"center {center.id} has {'a log of its own' if log else 'content'} in its home",
            got=", ".join(f"{home}/{name}" for name in sorted(used)),
            expected="no home, or one with keys alone",
            todo="Move it away: nothing is replaced",
        )


def _unpacked(path: Path, folder: Path, count: Callable[[str], None]) -> Manifest:
    """Unpack a backup into an empty folder, and return its manifest, which fits what is there."""
    found: dict[str, tuple[int, Digest]] = {}
    manifest: Manifest | None = None
    try:
        for member, stream in _members(path):
            if manifest is not None or member.name in found:
                _refuse(path, got=f"{member.name[:120]!a} twice, or after the manifest")
            if member.name == MANIFEST:
                manifest = _manifest(path, stream.read(_MAX_MANIFEST))
                continue
            count(member.name)
            target = folder / _checked(path, member.name)
            found[member.name] = _write(stream, target, member)
    except tarfile.TarError as error:
        _refuse(path, got=f"no tar, or a truncated one ({error})")
    if manifest is None:
        _refuse(path, got="a truncated file, without its manifest")
    promised = {file.name: (file.size, file.sha256) for file in manifest.files}
    for name in sorted(found.keys() | promised.keys()):
        if found.get(name) != promised.get(name):
            _refuse(path, got=f"{name[:120]!a} is damaged, missing, or not of this backup")
    return manifest


def _members(path: Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Yield the regular files of a backup after its marker; anything else is refused."""
    with tarfile.open(path, mode="r:", format=tarfile.GNU_FORMAT) as tar:
        for number, member in enumerate(tar):
            stream = tar.extractfile(member) if member.type == tarfile.REGTYPE else None
            if stream is None or (number == 0) != (member.name == MARKER):
                _refuse(path, got=f"the member {member.name[:120]!a}")
            if number:
                yield member, stream


def _checked(path: Path, name: str) -> str:
    """Return the name of a file that a backup can have below the home."""
    segments = name.split("/")
    plain = all(_SEGMENT.fullmatch(one) and one not in {".", ".."} for one in segments)
    own = segments[0] in _ALLOWED or segments[0] not in NOT_KEPT
    if (
        not plain
        or len(segments) < 2
        or not (own or name == SIGNED or name.startswith("log/pending/"))
    ):
        _refuse(path, got=f"the member {name[:120]!a}")
    return name


def _write(stream: IO[bytes], target: Path, member: tarfile.TarInfo) -> tuple[int, Digest]:
    """Write one file durably, with the rights and the time that it had."""
    public = member.name.startswith("store/public/")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if public else 0o700)
    hasher, size = hashlib.sha256(), 0
    with target.open("xb") as out:
        while piece := stream.read(CHUNK):
            hasher.update(piece)
            size += len(piece)
            out.write(piece)
        out.flush()
        os.fchmod(out.fileno(), member.mode & 0o755)
        os.fsync(out.fileno())
    os.utime(target, (member.mtime, member.mtime))
    return size, Digest(hasher.hexdigest())


def _manifest(path: Path, data: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]["msg"]
        _refuse(path, got=f"a manifest that this samebits does not read ({fault})")


def _refuse(path: Path, *, got: str) -> NoReturn:
    todo = "Nothing of it is restored; take another copy, or another backup"
    raise UsageError(f"{path} cannot be restored", got=got, expected=_EXPECTED, todo=todo)


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    """Yield a folder beside the home, on the same file system; it is gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{home.name}.", dir=home.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise InfrastructureError(
            f"the home {home} cannot be restored",
            got=error.strerror or error,
            todo="Check permissions and free space there; run it again with an empty home",
        ) from error


def _move_in(folder: Path, home: Path) -> None:
    """Move what was unpacked into the home, the log last."""
    home.mkdir(mode=0o700, exist_ok=True)
    if (signed := folder / SIGNED).exists():
        (home / SIGNED).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        signed.rename(home / SIGNED)
        shutil.rmtree(folder / "keys")
    for path in sorted(folder.iterdir(), key=lambda one: one.name == "log"):
        path.rename(home / path.name)
    with opened_folder(home) as fd:
        os.fsync(fd)


def _policy(center: Center) -> Policy | None:
    """Return the policy that the center accepted last, or its file; None for neither."""
    with suppress(SamebitsError, OSError):
        known = accepted(center.home)
        return (known or read_signed(center.policy.read_bytes(), accepted_before=True)).policy
    return None


def _cosigned_since(center: Center, policy: Policy) -> Iterator[str]:
    """Remember what the center's witness has cosigned after the backup; yields the origins.

    Otherwise it would cosign a log that was rolled back as far as its own memory was.
    """
    with suppress(SamebitsError):
        own, store = policy.center(center.id).witness, open_store(center.store)
        if own is None:
            return
        for other in policy.centers:
            log = LogIdentity.of(other.log.key, own)
            path = memory_file(center.home / "witness", other.log.origin)
            newest = next(cosigned_checkpoints([store], log), None)
            known = open_checkpoint(path.read_bytes(), log) if path.exists() else None
            size = known.checkpoint.size if known else -1
            if newest and newest.checkpoint.size > size:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                durable.replace(path, newest.note.to_bytes())
                yield other.log.origin


def _log_sizes(center: Center, policy: Policy) -> tuple[int | None, int | None]:
    """Return the sizes of the center's log as signed last and as stored; None where unreadable."""
    signed, stored = None, None
    with suppress(SamebitsError):
        log = LogIdentity.of(policy.center(center.id).log.key)
        with suppress(SamebitsError, OSError):
            signed = open_checkpoint((center.home / SIGNED).read_bytes(), log).checkpoint.size
        with suppress(OSError):
            if newest := published(open_store(center.store), log):
                stored = newest.checkpoint.size
    return signed, stored


def key_states(center: Center, policy: Policy | None) -> dict[str, KeyState]:
    """Return by use whether the center has the private key that its policy names."""
    found: dict[str, KeyState] = {}
    for use in KEY_USES:
        source = center.key_sources.get(use)
        try:  # never made, as a center without a file makes keys on first use
            mine = (
                load_public_key(source.public)
                if source
                else load_key(center.key_folder, use).public
            )
        except SamebitsError:
            found[use] = KeyState.MISSING
            continue
        with suppress(PolicyError):
            wanted = _wanted(policy.center(center.id), use) if policy else None
            other = wanted is not None and wanted.material != mine.material
            found[use] = KeyState.OTHER if other else KeyState.THERE
    return found


def _wanted(known: PolicyCenter, use: KeyUse) -> PublicKey | None:
    match use:
        case "statements":
            return newest_key(known)
        case "log":
            return known.log.key.public
        case "witness":
            return known.witness.public if known.witness else None

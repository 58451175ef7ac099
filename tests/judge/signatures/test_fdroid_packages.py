"""Packages that fdroidserver tests with: each is itself without its signatures, with them again."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import pytest

from builders.core.digest import Digest
from builders.locators import FetchRequest
from builders.locators.locator import parse_locator
from pipelines.judge.signatures.apk import APK
from pipelines.judge.signatures.graft import graft
from pipelines.judge.signatures.jar_signature import is_signature_file
from pipelines.judge.signatures.raw_zip import read_zip
from pipelines.judge.signatures.signature_format import BadSignatureError, Graft
from pipelines.verify.session import Session

pytestmark = pytest.mark.network

NAME = "fdroidserver-2.4.5.tar.gz"
SHA256 = Digest("f9b52646264c732678e32e37e23a995db20cc61d45622dda5830ce23255547f4")
REPRODUCED = {
    "apk.embedded_1",
    "issue-1128-poc3a",
    "issue-1128-poc3b",
    "org.sajeg.fallingblocks_3",
    "repo/duplicate.permisssions_9999999",
    "repo/no.min.target.sdk_987",
    "repo/obb.main.oldversion_1444412523",
    "repo/org.maxsdkversion_4",
    "repo/v1.v2.sig_1020",
    "v2.only.sig_2",
}
REFUSED = {
    "issue-1128-min-sdk-30-poc": "duplicate-block",
    "issue-1128-poc1": "signature-unreadable",
    "issue-1128-poc2": "duplicate-block",
    "janus": "data-between-entries",
    "urzip-release-unsigned": "signature-missing",
}


@pytest.fixture(scope="module")
def packages(session: Session, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All packages in the tests of fdroidserver, by name."""
    locator = parse_locator(f"pkg:pypi/fdroidserver@2.4.5?file_name={NAME}")
    wanted = FetchRequest(locator=locator, name=NAME, sha256=SHA256)
    (path,) = session.fetcher.fetch([wanted], tmp_path_factory.mktemp("fdroid"))
    found = {}
    with tarfile.open(Path(path)) as archive:
        for member in archive:
            name = member.name.removeprefix("fdroidserver-2.4.5/tests/").removesuffix(".apk")
            if member.name.endswith(".apk") and (file := archive.extractfile(member)):
                found[name] = file.read()
    return found


def unsigned(data: bytes) -> bytes:
    """Return a package without the files of version 1 and without its signing block."""
    archive = read_zip(io.BytesIO(data), "shipped")
    kept = {one.name: one for one in archive.entries if not is_signature_file(one.name)}
    made, moved = b"", {}
    for one in archive.by_place:
        if one.name in kept:
            moved[one.name] = len(made)
            made += data[one.start : one.end]
    records = b"".join(
        data[one.record : one.record + 42]
        + struct.pack("<I", moved[one.name])
        + data[one.record + 46 : one.record_end]
        for one in kept.values()
    )
    numbers = (0, 0, len(kept), len(kept), len(records), len(made), 0)
    return made + records + struct.pack("<4sHHHHIIH", b"PK\5\6", *numbers)


def test_each_package_is_reproduced_or_refused(
    session: Session, packages: dict[str, bytes]
) -> None:
    assert APK.pins is not None
    reproduced, refused = set(), {}
    for name, data in packages.items():
        try:
            pins = APK.pins(io.BytesIO(data)).pinned
        except BadSignatureError as error:
            refused[name] = str(error.refused.fault)
            continue
        theirs, ours = io.BytesIO(data), io.BytesIO(unsigned(data))
        found = graft(session.jail, theirs, ours, pins, io.BytesIO())
        if isinstance(found, Graft):
            reproduced.add(name)
        else:
            refused[name] = str(found.fault)
    assert reproduced == REPRODUCED
    assert refused.items() >= REFUSED.items()
    others = [fault for name, fault in refused.items() if name not in REFUSED]
    assert {one: others.count(one) for one in others} == {
        "signature-missing": 3,
        "weak-digest": 25,
    }

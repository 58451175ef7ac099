"""Key files: made once, for one user, and readable by other tools."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, SSlibKey

from builders.core.digest import canonical_json
from pipelines.evidence.errors import KeyFileError, MalformedError
from pipelines.evidence.privatekey import create_key, key_from_uri, load_key, load_or_create
from pipelines.evidence.publickey import ed25519_key, read_public_key


def test_a_new_key_is_three_files(tmp_path: Path) -> None:
    key = create_key(tmp_path / "keys", "statements")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "keys").iterdir()}
    assert modes == {"statements.key": 0o600, "statements.pub": 0o644, "statements.json": 0o644}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for suffix in ("pub", "json"):
        assert read_public_key((tmp_path / f"keys/statements.{suffix}").read_bytes()) == key.public


def test_the_key_id_is_securesystemslibs(tmp_path: Path) -> None:
    public = create_key(tmp_path, "log").public
    theirs = SSlibKey.from_crypto(load_pem_public_key(public.to_pem()))
    assert theirs.keyid == public.keyid
    document = json.loads(public.to_json())
    assert SSlibKey.from_dict(document.pop("keyid"), document) == theirs


def test_a_key_reads_back(tmp_path: Path) -> None:
    key = create_key(tmp_path, "log")
    again = load_key(tmp_path, "log")
    assert again.public == key.public
    assert again.sign(b"x") == key.sign(b"x")
    assert key.public.verifies(key.sign(b"x"), b"x")


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    key = create_key(tmp_path, "log")
    with pytest.raises(KeyFileError, match="exists already"):
        create_key(tmp_path, "log")
    assert load_or_create(tmp_path, "log").public == key.public


def test_a_private_key_is_not_shown(tmp_path: Path) -> None:
    assert repr(create_key(tmp_path, "log")).startswith("PrivateKey(")


def test_a_key_open_to_others_is_refused(tmp_path: Path) -> None:
    create_key(tmp_path, "log")
    (tmp_path / "log.key").chmod(0o640)
    with pytest.raises(KeyFileError, match="open to others"):
        load_key(tmp_path, "log")


def test_a_missing_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="center init"):
        load_key(tmp_path, "log")


def test_a_lost_public_file_is_written_again(tmp_path: Path) -> None:
    key = create_key(tmp_path, "log")
    (tmp_path / "log.pub").unlink()
    load_key(tmp_path, "log")
    assert (tmp_path / "log.pub").read_bytes() == key.public.to_pem()


def test_a_public_file_of_another_key_is_refused(tmp_path: Path) -> None:
    create_key(tmp_path, "log")
    other = create_key(tmp_path, "witness")
    (tmp_path / "log.pub").write_bytes(other.public.to_pem())
    with pytest.raises(KeyFileError, match="not the public part"):
        load_key(tmp_path, "log")


@pytest.mark.parametrize("data", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"\xff" * 100_000])
def test_rubbish_is_no_key(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_key(tmp_path, "log")


def test_a_key_of_another_kind_is_no_file_key(tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (tmp_path / "log.key").write_bytes(pem)
    (tmp_path / "log.key").chmod(0o600)
    with pytest.raises(KeyFileError, match="Ed25519"):
        load_key(tmp_path, "log")


def test_of_many_first_users_one_makes_the_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from pipelines.evidence.privatekey import load_or_create; "
        "print(load_or_create(Path(sys.argv[1]), 'statements').public.keyid)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    said = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0] * 4
    assert said == {load_key(tmp_path, "statements").public.keyid.encode() + b"\n"}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_key_elsewhere_is_opened_by_its_uri(tmp_path: Path) -> None:
    signer = CryptoSigner.generate_ecdsa()
    (tmp_path / "far.pem").write_bytes(signer.private_bytes)
    public = read_public_key(signer.public_key.keyval["public"].encode())
    key = key_from_uri(f"file2:{tmp_path}/far.pem", public)
    assert key.public.verifies(key.sign(b"x"), b"x")
    assert not key.public.verifies(key.sign(b"x"), b"y")


@pytest.mark.parametrize("uri", ["ftp:x", "file2:/nowhere", "hsm:2?label=x", "", "awskms:x"])
def test_a_uri_that_cannot_be_opened_is_one_message(uri: str) -> None:
    public = ed25519_key(bytes(32))
    with pytest.raises(KeyFileError) as caught:
        key_from_uri(uri, public)
    assert "\n" not in str(caught.value)


def test_a_key_of_another_algorithm_is_refused() -> None:
    from cryptography.hazmat.primitives.asymmetric import x25519

    pem = (
        x25519.X25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(KeyFileError, match="cannot be used"):
        read_public_key(pem)


@pytest.mark.parametrize("spelling", ["keytype", "CRLF", "blank line"])
def test_a_second_spelling_of_one_key_is_refused(spelling: str) -> None:
    """Under another key id it would count as another key."""
    key = CryptoSigner.generate_ecdsa().public_key
    pem = key.keyval["public"]
    fields = {"keyid": "other", "keytype": key.keytype, "scheme": key.scheme}
    found = read_public_key(canonical_json({**fields, "keyval": {"public": pem}}))
    assert found.material == read_public_key(pem.encode()).material
    if spelling == "keytype":
        fields["keytype"] = "ecdsa-sha2-nistp256"
    pem = {"CRLF": pem.replace("\n", "\r\n"), "blank line": pem.replace("-\n", "-\n\n", 1)}.get(
        spelling, pem
    )
    with pytest.raises(MalformedError, match="another spelling of the key"):
        read_public_key(canonical_json({**fields, "keyval": {"public": pem}}))


def test_a_key_id_of_another_key_is_refused() -> None:
    first, second = (
        ed25519_key(
            ed25519.Ed25519PrivateKey.generate()
            .public_key()
            .public_bytes(Encoding.Raw, PublicFormat.Raw)
        )
        for _ in range(2)
    )
    document = json.loads(first.to_json())
    document["keyid"] = second.keyid
    with pytest.raises(MalformedError, match="key id"):
        read_public_key(json.dumps(document).encode())


def test_reading_and_verifying_needs_no_heavy_library(tmp_path: Path) -> None:
    key = create_key(tmp_path, "statements")
    code = (
        "import sys; from pathlib import Path; "
        "from pipelines.evidence.publickey import read_public_key; "
        "import pipelines.evidence.statements, pipelines.evidence.dsse; "
        f"key = read_public_key(Path({str(tmp_path)!r}, 'statements.pub').read_bytes()); "
        f"assert key.verifies(bytes.fromhex({key.sign(b'x').hex()!r}), b'x'); "
        "heavy = {'securesystemslib', 'prefect', 'docker', 'boto3', 'cyclonedx', 'requests'}; "
        "assert not heavy & {m.split('.')[0] for m in sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)
    assert done.returncode == 0

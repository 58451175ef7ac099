"""Keys in a PKCS#11 token: made there, never taken out, and every fault says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, ObjectClass

from builders.core.errors import RecipeError
from pipelines.center.center import load_center
from pipelines.evidence import tokenkey
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.privatekey import PrivateKey, key_from_uri, make_key_at
from pipelines.evidence.publickey import ed25519_key, load_public_key
from pipelines.evidence.tokenuri import EXAMPLE, parse_token_uri
from tests.softhsm import PIN, SoftToken


@pytest.fixture
def public(soft_token: SoftToken, tmp_path: Path) -> Path:
    """The public part of the token's key `statements`."""
    make_key_at(soft_token.uri("statements"), tmp_path / "statements.pub")
    return tmp_path / "statements.pub"


def opened(uri: str, public: Path) -> PrivateKey:
    return key_from_uri(uri, load_public_key(public))


def test_a_key_is_made_in_the_token_once_and_signs(
    soft_token: SoftToken, public: Path, tmp_path: Path
) -> None:
    key = opened(soft_token.uri("statements"), public)
    assert key.public.verifies(key.sign(b"x"), b"x")
    assert not key.public.verifies(key.sign(b"x"), b"y")
    make_key_at(soft_token.uri("statements"), tmp_path / "again.pub")
    assert (tmp_path / "again.pub").read_bytes() == public.read_bytes()


def test_the_private_part_cannot_be_taken_out(soft_token: SoftToken, public: Path) -> None:
    with soft_token.session() as session:
        made = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label="statements")
        assert (made[Attribute.SENSITIVE], made[Attribute.EXTRACTABLE]) == (True, False)
        with pytest.raises(pkcs11.AttributeSensitive):
            made[Attribute.VALUE]


FAULTS: dict[str, tuple[Callable[[SoftToken], str], str]] = {
    "no module": (
        lambda token: token.uri("statements", module_path="/nowhere/module.so"),
        "the PKCS#11 module /nowhere/module.so cannot be loaded",
    ),
    "no token": (lambda token: token.uri("statements", token="asia"), "has no token for"),
    "no PIN file": (
        lambda token: token.uri("statements", pin_source="/nowhere/pin"),
        "the PIN of pkcs11:token=samebits%20test;object=statements cannot be read",
    ),
    "no object": (lambda token: token.uri("another"), "the token has no private key"),
    "another key": (lambda token: token.uri("other"), "is not the private part of the public key"),
    "another type": (lambda token: token.uri("ecdsa"), "an Ed25519 key (EC_EDWARDS"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_says_what_to_do(
    soft_token: SoftToken, public: Path, tmp_path: Path, fault: str
) -> None:
    make_key_at(soft_token.uri("other"), tmp_path / "other.pub")
    with soft_token.session() as session:
        if not [*session.get_objects({Attribute.LABEL: "ecdsa"})]:
            curve = {Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters("secp256r1")}
            parameters = session.create_domain_parameters(KeyType.EC, curve, local=True)
            parameters.generate_keypair(label="ecdsa", store=True)
    uri, message = FAULTS[fault]
    with pytest.raises(KeyFileError) as caught:
        opened(uri(soft_token), public)
    assert message in str(caught.value)
    assert caught.value.todo
    assert "\n" not in str(caught.value)


def test_a_wrong_pin_is_told_and_shown_nowhere(
    soft_token: SoftToken, public: Path, tmp_path: Path
) -> None:
    pin = tmp_path / "pin"
    pin.write_text("hunter2-wrong\n")
    pin.chmod(0o600)
    with pytest.raises(KeyFileError, match="is not that of pkcs11:token=") as caught:
        opened(soft_token.uri("statements", pin_source=str(pin)), public)
    assert "hunter2" not in str(caught.value)
    assert "locks itself" in str(caught.value)
    pin.chmod(0o640)
    with pytest.raises(KeyFileError, match=r"the PIN file .* is open to others"):
        opened(soft_token.uri("statements", pin_source=str(pin)), public)


def test_a_wrong_pin_is_tried_once_in_a_process(
    soft_token: SoftToken, public: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin, asked = tmp_path / "pin", Mock(side_effect=tokenkey._token)
    monkeypatch.setattr(tokenkey, "_token", asked)
    pin.write_text("wrong-once\n")
    pin.chmod(0o600)
    for label, got in (("statements", "PinIncorrect"), ("log", "refused before")):
        with pytest.raises(KeyFileError, match=f"is not that of .*{got}"):
            opened(soft_token.uri(label, pin_source=str(pin)), public)
    assert asked.call_count == 1, "keys of one token share its PIN"
    pin.write_text(PIN)
    opened(soft_token.uri("statements", pin_source=str(pin)), public)


def test_a_key_that_is_gone_later_is_one_message(soft_token: SoftToken, tmp_path: Path) -> None:
    make_key_at(soft_token.uri("short-lived"), tmp_path / "key.pub")
    key = opened(soft_token.uri("short-lived"), tmp_path / "key.pub")
    with soft_token.session() as session:
        for each in session.get_objects({Attribute.LABEL: "short-lived"}):
            each.destroy()
    with pytest.raises(KeyFileError, match="has no private key"):
        key.sign(b"x")


def test_a_uri_is_read_as_rfc_7512_has_it() -> None:
    uri = parse_token_uri(
        "pkcs11:token=%53ome%20token;serial=0a;id=%01%ff;object=a%3bb;type=private"
        "?pin-source=file:/etc/pin&module-path=/usr/lib/hsm.so"
    )
    assert (uri.token, uri.serial) == ("Some token", b"0a")
    assert (uri.id, uri.label) == (b"\x01\xff", "a;b")
    assert (uri.module, uri.pin_source) == (Path("/usr/lib/hsm.so"), Path("/etc/pin"))
    assert parse_token_uri(EXAMPLE).place == "pkcs11:token=europe;object=statements"


@pytest.mark.parametrize(
    "uri",
    [
        "pkcs11:",
        "pkcs11:token=a?module-path=/m&pin-source=/p",
        "pkcs11:object=a?module-path=/m&pin-source=/p",
        "pkcs11:token=a;object=b?module-path=m.so&pin-source=/p",
        "pkcs11:token=a;object=b?module-path=/m",
        "pkcs11:token=a;object=b;object=c?module-path=/m&pin-source=/p",
        "pkcs11:token=a;object=b;type=public?module-path=/m&pin-source=/p",
        "pkcs11:token=a;object=b;slot-id=1?module-path=/m&pin-source=/p",
        "pkcs11:token=a;object=b?module-path=/m&pin-source=|cat",
    ],
)
def test_another_uri_is_refused(uri: str) -> None:
    with pytest.raises(KeyFileError, match="the URI of a key in a token cannot be used"):
        key_from_uri(uri, ed25519_key(bytes(32)))


@pytest.mark.parametrize("name", ["pin-value", "PIN-value", "pin%2Dvalue"])
def test_a_pin_in_a_uri_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(KeyFileError, match="a PIN does not belong") as caught:
        parse_token_uri(f"pkcs11:token=a;object=b?module-path=/m&{name}=hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_center_file_with_a_pin_is_refused_by_line_and_shows_it_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "center.yaml"
    uri = "pkcs11:token=a;object=b?module-path=/m&pin-value=hunter2"
    keys = f"keys:\n  log: {{uri: '{uri}', public: log.pub}}\n"
    file.write_text(f"schema: samebits/center/v1\nid: zurich\n{keys}")
    with pytest.raises(RecipeError, match=r":4: keys\.log\.uri: a PIN does not") as caught:
        load_center(file)
    assert "hunter2" not in str(caught.value)

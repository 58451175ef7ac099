"""Ed25519 keys in a PKCS#11 token: an HSM, a smart card, or SoftHSM.

The private key never leaves the token. Each signature has a session of its own, so that a token
that was restarted is found again, and is verified with the public key before it is given out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from builders.core.escaping import escaped
from pipelines.evidence.errors import EvidenceError, KeyFileError
from pipelines.evidence.publickey import PublicKey, check_point, ed25519_key
from pipelines.evidence.secretfile import read_secret_file
from pipelines.evidence.tokenuri import TokenUri

_ED25519 = encode_named_curve_parameters("1.3.101.112")  # RFC 8410
_POINT = b"\x04\x20"
"""DER of an octet string of 32 bytes."""
_SIGN_IN = threading.Lock()
"""A process is logged in to a token as a whole, so one thread at a time is."""
_WRONG_PINS: set[tuple[object, ...]] = set()
"""What a token refused in this process: it would lock itself if each order tried it again."""
_PROBE = b"samebits: does this key sign?"
"""No statement (which begins with DSSEv1) and no note (which begins with an origin)."""


class TokenKey:
    """The private key that a URI names, with the public part that it must have."""

    def __init__(self, uri: TokenUri, public: PublicKey) -> None:
        """Sign once, to find out that the key is there; raises `KeyFileError`."""
        self._uri, self._public = uri, public
        self.sign(_PROBE)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`; raises `KeyFileError`."""
        with _session(self._uri) as session:
            key = _private_key(session, self._uri)
            signature = bytes(key.sign(message, mechanism=Mechanism.EDDSA))
        if not self._public.verifies(signature, message):
            raise KeyFileError(
                f"{self._uri.place} is not the private part of the public key in the center's file",
                got="a signature that it does not verify",
                expected=f"one of key {self._public.keyid[:16]}",
                todo="Correct `uri` or `public` in the center's file",
            )
        return signature


def find_or_make_key(uri: TokenUri) -> PublicKey:
    """Return the public part of the key that a URI names, made where it is missing.

    The new private key cannot be taken out of the token. Raises `KeyFileError`.
    """
    with _session(uri, rw=True) as session:
        try:
            _private_key(session, uri)
            public = session.get_key(
                object_class=ObjectClass.PUBLIC_KEY, label=uri.label, id=uri.id
            )
        except pkcs11.NoSuchKey as error:
            raise KeyFileError(
                f"{uri.place} has no public key beside the private one",
                todo="Write the public key into the file that `public` in the center's file names",
            ) from error
        except _NoPrivateKeyError:
            parameters = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519}, local=True
            )
            public, _ = parameters.generate_keypair(
                label=uri.label,
                id=uri.id,
                store=True,
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
            )
        point = bytes(public[Attribute.EC_POINT])
    raw = point.removeprefix(_POINT)
    if len(raw) != 32:
        raise _wrong_type(uri, f"a point of {len(raw)} bytes")
    check_point(raw)
    return ed25519_key(raw)


class _NoPrivateKeyError(KeyFileError):
    """The token has no private key of that name."""


def _private_key(session: pkcs11.Session, uri: TokenUri) -> pkcs11.SignMixin:
    try:
        key = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=uri.label, id=uri.id)
    except pkcs11.NoSuchKey as error:
        raise _NoPrivateKeyError(
            f"the token has no private key {uri.place}",
            got="no such object",
            todo="Correct object or id; `samebits center init` makes the key of a new center where "
            "the file that `public` names is missing",
        ) from error
    except pkcs11.MultipleObjectsReturned as error:
        raise KeyFileError(
            f"{uri.place} names several private keys",
            expected="one of them",
            todo="Give object and id",
        ) from error
    if key.key_type is not KeyType.EC_EDWARDS or not isinstance(key, pkcs11.SignMixin):
        raise _wrong_type(uri, f"a key of type {key.key_type.name}")
    return key


def _wrong_type(uri: TokenUri, got: str) -> KeyFileError:
    return KeyFileError(
        f"{uri.place} cannot be used",
        got=got,
        expected="an Ed25519 key (EC_EDWARDS, edwards25519)",
        todo="Name another object; `samebits center init` makes one of that type",
    )


@contextmanager
def _session(uri: TokenUri, *, rw: bool = False) -> Iterator[pkcs11.Session]:
    """Log in to the token of a URI; raises `KeyFileError`, also for what fails meanwhile."""
    try:
        pin = read_secret_file(uri.pin_source, "PIN file").decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(
            f"the PIN of {uri.place} cannot be read",
            got=f"{uri.pin_source}: {getattr(error, 'strerror', None) or 'not UTF-8'}",
            todo="Put the PIN into that file, with mode 0600, for the user that signs",
        ) from error
    with _SIGN_IN:
        # Keys of one token share its PIN, whatever their names.
        login = (uri.module, uri.token, uri.serial, pin)
        if login in _WRONG_PINS:
            raise _wrong_pin(uri, "one that the token has refused before")
        try:
            with _token(uri).open(rw=rw, user_pin=pin) as session:
                yield session
        except (EvidenceError, pkcs11.NoSuchKey):
            raise
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as error:
            _WRONG_PINS.add(login)
            raise _wrong_pin(uri, type(error).__name__) from error
        except pkcs11.PKCS11Error as error:
            what, todo = _fault(error, uri)
            raise KeyFileError(what, got=type(error).__name__, todo=todo) from error


def _token(uri: TokenUri) -> pkcs11.Token:
    try:
        library = pkcs11.lib(str(uri.module))
    except (pkcs11.PKCS11Error, RuntimeError) as error:
        raise KeyFileError(
            f"the PKCS#11 module {uri.module} cannot be loaded",
            got=escaped(str(error))[:200],
            todo="Install the library of the token, or correct module-path",
        ) from error
    return library.get_token(token_label=uri.token, token_serial=uri.serial)


def _wrong_pin(uri: TokenUri, got: str) -> KeyFileError:
    return KeyFileError(
        f"the PIN in {uri.pin_source} is not that of {uri.place}",
        got=got,
        todo="Correct it: a token locks itself after a few wrong ones, so none is tried twice. "
        "Where the file is right by now, restart the signer",
    )


def _fault(error: pkcs11.PKCS11Error, uri: TokenUri) -> tuple[str, str]:
    """Return what has failed, and what to do."""
    match error:
        case pkcs11.NoSuchToken() | pkcs11.TokenNotPresent() | pkcs11.DeviceRemoved():
            return f"the module {uri.module} has no token for {uri.place}", (
                "Plug it in or start it, or correct token or serial; may this user reach it?"
            )
        case pkcs11.MultipleTokensReturned():
            return f"{uri.place} names several tokens", "Give token and serial"
        case pkcs11.PinLocked() | pkcs11.PinExpired() | pkcs11.UserPinNotInitialized():
            return f"the token of {uri.place} takes no PIN", (
                "Unlock it, or set a new PIN, with the tools of its maker"
            )
        case pkcs11.MechanismInvalid() | pkcs11.DomainParamsInvalid():
            return f"the token of {uri.place} has no Ed25519 (EDDSA)", (
                "Use a token that has, or a key file"
            )
        case _:
            return f"the token of {uri.place} has failed", "See the messages of the token"

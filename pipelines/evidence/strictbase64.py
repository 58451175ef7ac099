"""Base64 in canonical form only, so that signed bytes have one encoding."""

from __future__ import annotations

import binascii
from contextlib import suppress
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer


def encode_base64(data: bytes) -> str:
    """Return standard base64 (RFC 4648, section 4), padded."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes of standard base64, padded and without stray bits; raises `ValueError`."""
    with suppress(ValueError):
        data = binascii.a2b_base64(text)  # it passes over what is no base64
        if encode_base64(data) == text:
            return data
    raise ValueError("expected standard base64 in its canonical form")


Base64 = Annotated[
    bytes,
    BeforeValidator(lambda value: decode_base64(value) if isinstance(value, str) else value),
    PlainSerializer(encode_base64),
]
"""Bytes of a model, which are written as base64."""

"""Makes external signatures of ClamAV."""

from __future__ import annotations

import base64

from tests.judge.signatures.cdiff_tricks import SHIPPED
from tests.judge.signatures.pe_tricks import ADA
from tests.judge.signatures.rauc_signing import cms
from tests.judge.signatures.signing import Vendor

LINE = b"220::pkcs7-pem:"


def external(by: Vendor = ADA, content: bytes = SHIPPED, *, line: bytes = LINE) -> bytes:
    """Return the signature of a delta in one line."""
    return in_one_line(cms(by, content, detached=True), line)


def in_one_line(der: bytes, line: bytes = LINE) -> bytes:
    return b"#clamsign-1.0\n" + line + base64.b64encode(der) + b"\n"

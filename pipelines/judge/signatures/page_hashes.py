"""Page hashes of PE files: what Windows compares of each page that it loads from a signed file.

A list of offsets and digests: of the headers without checksum and certificate directory, of each
page of each section that the file holds, each filled up with zeros to a page, and at last the
offset of the end with a digest of zeros.
"""

from __future__ import annotations

import hashlib
import struct
from typing import BinaryIO

from pipelines.judge.signatures.authenticode import pieces_of
from pipelines.judge.signatures.pe_image import CHECKSUM, ENTRY, PeImage
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault

PAGE = 4096


def page_hashes(file: BinaryIO, image: PeImage) -> bytes:
    """Return the SHA-256 page hashes of a file, as they are signed; raises `BadSignatureError`."""
    if image.alignment != PAGE or not image.section_headers <= image.headers <= PAGE:
        what = (
            f"page hashes of a file with headers of {image.headers} bytes and sections aligned "
            f"to {image.alignment}, expected at most {PAGE} bytes, aligned to {PAGE}"
        )
        raise BadSignatureError(SignatureFault.PAGE_HASHES, what)
    sections = [one for one in image.sections if one.size]
    if sum(one.size for one in sections) > image.end - image.section_headers:
        what = "page hashes of a file with sections over each other"
        raise BadSignatureError(SignatureFault.PAGE_HASHES, what)
    file.seek(0)
    head = file.read(image.headers)
    covered = (
        head[: image.checksum]
        + head[image.checksum + CHECKSUM : image.entry]
        + head[image.entry + ENTRY :]
    )
    found = [bytes(4), hashlib.sha256(covered + bytes(PAGE - len(head))).digest()]
    end = 0
    for section in sections:
        at, end = section.offset, section.offset + section.size
        for data in pieces_of(file, at, end):
            padded = data + bytes(-len(data) % PAGE)
            for begin in range(0, len(padded), PAGE):
                found.append(struct.pack("<I", at + begin))
                found.append(hashlib.sha256(padded[begin : begin + PAGE]).digest())
            at += len(data)
    found += [struct.pack("<I", end), bytes(hashlib.sha256().digest_size)]
    return b"".join(found)

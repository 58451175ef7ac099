"""Page hashes of PE files: what Windows compares of each page that it loads from a signed file.

A list of offsets and digests: of the headers without checksum and certificate directory, of each
page of each section that the file holds, each filled up with zeros to a page, and at last the
offset of the end with a digest of zeros.
"""

from __future__ import annotations

import hashlib
import struct
from typing import BinaryIO

from pipelines.judge.signatures.pe_image import CHECKSUM, ENTRY, PeImage
from pipelines.judge.signatures.signature_format import BadSignatureError, SignatureFault

PAGE = 4096


def page_hashes(file: BinaryIO, image: PeImage, algorithm: str) -> bytes:
    """Return the page hashes of a file in the form that is signed; raises `BadSignatureError`."""
    if image.alignment != PAGE or not image.section_headers <= image.headers <= PAGE:
        what = (
            f"page hashes of a file with headers of {image.headers} bytes and sections aligned "
            f"to {image.alignment}, expected at most {PAGE} bytes, aligned to {PAGE}"
        )
        raise BadSignatureError(SignatureFault.PAGE_HASHES, what)
    sections = [one for one in image.sections if one.size]
    if (
        any(one.offset + one.size > image.end for one in sections)
        or sum(one.size for one in sections) > image.end
    ):
        what = "page hashes of a file with sections beyond its end, or over each other"
        raise BadSignatureError(SignatureFault.PAGE_HASHES, what)
    file.seek(0)
    head = file.read(image.headers)
    covered = (
        head[: image.checksum]
        + head[image.checksum + CHECKSUM : image.entry]
        + head[image.entry + ENTRY :]
    )
    empty = hashlib.new(algorithm)
    zeros = bytes(PAGE)
    found = [bytes(4), hashlib.new(algorithm, covered + zeros[len(head) :]).digest()]
    end = 0
    for section in sections:
        file.seek(section.offset)
        end = section.offset + section.size
        for at in range(section.offset, end, PAGE):
            page = file.read(min(PAGE, end - at))
            found += [
                struct.pack("<I", at),
                hashlib.new(algorithm, page + zeros[len(page) :]).digest(),
            ]
    found += [struct.pack("<I", end), bytes(empty.digest_size)]
    return b"".join(found)

"""An external signature of ClamAV, as the manifest of the one file that it signs."""

from __future__ import annotations

from typing import BinaryIO

from builders.core.escaping import escaped
from pipelines.judge.signatures.clamsign import read_clamsign
from pipelines.judge.signatures.signature_format import BadSignatureError
from pipelines.judge.updates.manifest_format import vendor_claim
from pipelines.judge.updates.manifests.manifest_content import ListedFile, ManifestContent
from pipelines.judge.updates.update_fault import UpdateError, UpdateFault

SIGNED_FILE = "signed-file"
"""What it lists: it does not say the name of the file."""


def read_signed_digest(file: BinaryIO) -> ManifestContent:
    """Return the digest that an external signature states; raises `UpdateError`."""
    try:
        found = read_clamsign(file)
        return ManifestContent(
            files=(ListedFile(path=SIGNED_FILE, digests={found.algorithm: found.digest.hex()}),),
            claims=tuple(
                vendor_claim(name, level)
                for name, level in (("lowest level", found.least), ("highest level", found.most))
                if level
            ),
        )
    except BadSignatureError as error:
        raise UpdateError(UpdateFault.MANIFEST_UNREADABLE, error.refused.detail) from error
    except ValueError as error:
        what = f"a digest that cannot be: {escaped(str(error)):.200}"
        raise UpdateError(UpdateFault.MANIFEST_UNREADABLE, what) from error

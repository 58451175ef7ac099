"""Acme's build: packs the source of one version into a tar, and makes a delta from a base.

    python3 build.py SOURCE.tar NAME OUT [BASE]

The vendor runs it on a machine of its own, and samebits in a container: the same source gives the
same bytes. NAME is that of the tar; the delta, in the format of bsdiff, is called NAME.bsdiff.
"""

import bz2
import io
import sys
import tarfile
from pathlib import Path


def pack(source: Path) -> bytes:
    """Return a tar of the files of a source, by name and without times or owners."""
    packed = io.BytesIO()
    with tarfile.open(source) as files, tarfile.open(fileobj=packed, mode="w") as tar:
        for member in sorted(files.getmembers(), key=lambda one: one.name):
            entry = tarfile.TarInfo(member.name)
            entry.size = member.size
            tar.addfile(entry, files.extractfile(member))
    return packed.getvalue()


def bsdiff(old: bytes, new: bytes) -> bytes:
    """Return a delta that takes what both begin with from the old file, and the rest as it is."""
    same = next(
        (n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(old)
    )
    steps = b"".join(number.to_bytes(8, "little") for number in (same, len(new) - same, 0))
    parts = [bz2.compress(part) for part in (steps, bytes(same), new[same:])]
    sizes = (len(parts[0]), len(parts[1]), len(new))
    return b"BSDIFF40" + b"".join(n.to_bytes(8, "little") for n in sizes) + b"".join(parts)


source, name, out, *base = sys.argv[1:]
full = pack(Path(source))
(Path(out) / name).write_bytes(full)
for path in base:
    (Path(out) / f"{name}.bsdiff").write_bytes(bsdiff(Path(path).read_bytes(), full))

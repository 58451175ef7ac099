"""What is fuzzed of the readers of the parser jail, and with which files.

`python -m tests.fuzz TARGET SECONDS` goes on for so long; `tests/judge/test_fuzzed.py` ends soon.
"""

from __future__ import annotations

import io
import random
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from builders.archives import SoughtFile
from builders.core.digest import Digest
from builders.jail import Reader
from builders.packing import GzipPacking
from builders.recipe.update import DeltaName
from infra.bench.attacks import ATTACKS
from tests.explain.executables.pairs import pairs
from tests.judge.encodings import HIDDEN
from tests.judge.normalizers.made_files import PAIRS
from tests.judge.signatures import (
    apk_tricks,
    cdiff_tricks,
    jar_tricks,
    modules,
    pe_tricks,
    rauc_tricks,
    rpm_tricks,
    tuf_tricks,
)
from tests.judge.signatures.signing import Signing, Vendor, program, signed
from tests.judge.updates import (
    cdiffs,
    delta_tricks,
    external_signatures,
    ostree_tricks,
    rauc_manifests,
    rpm_delta_tricks,
)
from tests.rules.languages.samples import RULE_FILES

SECONDS = 20.0
"""Of one file; a busy machine takes its time too."""
_SMALL = 1 << 20
_NUMBERS = (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"77777777777", b"99999999")
_DATA = Path(__file__).parents[1] / "data" / "archives"
_BOMB = "one-gib-of-zeros.bz2"
"""Within the limits of most readers, and slow: fuzzing would find it again and again."""
_PINNED = {"format": "pe", "signers": [Digest.of(b"")]}
_KERNEL = modules.named("kernel")
_MODULE = modules.pinned(_KERNEL).model_dump()
_DATABASE = {**_MODULE, "format": "cvd"}
_DSC = b"Source: a\nChecksums-Sha256:\n " + b"0" * 64 + b" 3 a_1.tar.xz\n"


def archives() -> list[bytes]:
    """Return small files to begin with: sound ones, and attacks."""
    files = [path.read_bytes() for path in sorted(_DATA.iterdir()) if path.name != _BOMB]
    made = (ATTACKS[name](1) for name in ("long_names", "sparse", "huge_size", "nested_gzips"))
    found = (*files, *made, made_wheel(), _DSC)
    return [content for content in found if 0 < len(content) <= _SMALL]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader by its name, and its parameters."""

    reader: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    first: Callable[[], bytes] | None = None
    """Makes a sound file, which is read before the other one."""
    beside: Callable[[], bytes] | None = None
    """Makes a sound file, which is read beside the other one."""
    seeds: Callable[[], list[bytes]] = archives
    """Makes the files to begin with."""
    writes: bool = False
    """Whether it writes to an output."""

    def load(self) -> tuple[Reader[Any, Any], Any]:
        """Return the reader and its parameters."""
        module, _, name = self.reader.partition(":")
        reader: Reader[Any, Any] = getattr(import_module(module), name)
        return reader, reader.parameters.model_validate(self.parameters)

    def files(self, content: bytes) -> list[io.BytesIO]:
        """Return what the reader is given to read `content`."""
        first = [io.BytesIO(self.first())] if self.first else []
        beside = [io.BytesIO(self.beside())] if self.beside else []
        return [*first, io.BytesIO(content), *beside]

    def read(self, content: bytes) -> None:
        """Read in this process; an error that the reader declares is none."""
        reader, parameters = self.load()
        with suppress(*reader.errors):
            files = [*self.files(content), *([io.BytesIO()] if self.writes else [])]
            reader.read(files, parameters, tempfile.TemporaryFile)


def made_wheel() -> bytes:
    """Return a small wheel, one member of which is an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {
            "METADATA": "Name: a\nRequires-Dist: b >= 1\n\ntext\n",
            "WHEEL": "Generator: flit 3.7.1\n",
            "RECORD": "a.py,sha256=AAAA,1\na-1.dist-info/RECORD,,\n",
        }.items():
            archive.writestr(zipfile.ZipInfo(f"a-1.dist-info/{name}"), text)
        archive.writestr(zipfile.ZipInfo("a.py"), "x")
    return out.getvalue()


def hidden_files() -> list[bytes]:
    """Return inputs that hold a wheel, each encoded in another way."""
    return [hide(made_wheel()) for hide in HIDDEN.values()]


def signed_files() -> list[bytes]:
    """Return a program as its vendor signed it, and as somebody rebuilt it."""
    ours = program()
    return [signed(ours, Signing(by=Vendor.named("vendor"))), ours]


def normalized_files() -> list[bytes]:
    """Return a file of each format that normalizers know."""
    return [pair.make(pair.shipped) for pair in PAIRS.values()]


def signed_modules() -> list[bytes]:
    """Return a module as it is shipped, compressed and not, and as somebody rebuilt it."""
    made = modules.signed(modules.module(), _KERNEL)
    return [made, modules.packed(made), modules.packed(made, GzipPacking()), modules.module()]


def signed_databases() -> list[bytes]:
    """Return a database of ClamAV as it is shipped, and as somebody rebuilt it."""
    from tests.judge.signatures.databases import OURS, SIGNED  # makes keys

    return [SIGNED.whole(), OURS.whole(), SIGNED.around(SIGNED.tar(SIGNED.info)[:900])]


def signed_packages() -> list[bytes]:
    """Return packages and an archive as their vendor signed them, and as somebody rebuilt them."""
    jar = jar_tricks.GOOD_JAR.made(jar_tricks.without_manifest(jar_tricks.JAR_ITEMS))
    return [apk_tricks.FULL.made(apk_tricks.ITEMS), apk_tricks.ROTATED.made(apk_tricks.ITEMS), jar]


def damaged(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return `content` with some bytes changed, cut out, said twice or taken from `other`."""
    found = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        at, size = chance.randrange(len(found) + 1), chance.choice((1, 4, 12, 512, 4096))
        match chance.randrange(5):
            case 0:
                found[at : at + size] = chance.randbytes(size)
            case 1:
                found[at : at + size] = b""
            case 2:
                found[at:at] = found[at : at + size] * chance.randint(1, 40)
            case 3:
                start = chance.randrange(len(other))
                found[at:at] = other[start : start + size]
            case _:
                number = chance.choice(_NUMBERS)
                found[at : at + len(number)] = number
    return bytes(found)


def rule_files(name: str) -> Target:
    """Return the target that compares a damaged file of rules with a sound one."""
    content = RULE_FILES[name].encode()
    return Target(
        reader="pipelines.rules.reading:CHANGES",
        parameters={"old": (name,), "new": (name,)},
        beside=lambda: content,
        seeds=lambda: [content],
    )


def delta(name: DeltaName, base: bytes, *made: bytes) -> Target:
    """Return the target for a format of deltas."""
    return Target(
        reader="pipelines.judge.updates.appliers:APPLY",
        parameters={"format": name, "size": 1 << 16},
        first=lambda: base,
        seeds=lambda: list(made),
        writes=True,
    )


TARGETS = {
    **{f"rules-{name}": rule_files(name) for name in RULE_FILES},
    "apk": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=apk_tricks.BY_ANN.model_dump(),
        seeds=signed_packages,
    ),
    "apk-splice": Target(
        reader="pipelines.judge.signatures.graft_readers:PLAN",
        parameters=apk_tricks.BY_ANN.model_dump(),
        beside=lambda: apk_tricks.OURS,
        seeds=signed_packages,
    ),
    "archive": Target(
        reader="pipelines.judge.copied:CONTENTS", parameters={"digest": Digest.of(b"")}
    ),
    "cdiff": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=cdiff_tricks.BY_CLAMAV.model_dump(),
        seeds=lambda: [cdiff_tricks.SHIPPED, cdiff_tricks.OURS],
    ),
    "copies": Target(
        reader="pipelines.judge.copied:CONTENTS",
        parameters={
            "digest": Digest.of(b""),
            "sought": [SoughtFile.of(iter([made_wheel()]), Digest.of(b"wheel"))],
        },
        seeds=hidden_files,
    ),
    "comparison": Target(
        reader="pipelines.infer.wheel.comparison:COMPARISON",
        parameters={"name": "a.whl"},
        beside=made_wheel,
    ),
    "content": Target(
        reader="pipelines.judge.signatures.graft_readers:UNPACK",
        parameters=_MODULE,
        seeds=signed_modules,
        writes=True,
    ),
    "database": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=_DATABASE,
        seeds=signed_databases,
    ),
    "database-splice": Target(
        reader="pipelines.judge.signatures.graft_readers:PLAN",
        parameters=_DATABASE,
        beside=lambda: signed_databases()[1],
        seeds=signed_databases,
    ),
    "deb": Target(reader="pipelines.infer.debian.deb_content:DEB"),
    "delta-bsdiff": delta(DeltaName.BSDIFF, delta_tricks.OLD, delta_tricks.BSDIFF.file()),
    "delta-cdiff": delta(DeltaName.CDIFF, cdiffs.BASE.whole(), cdiff_tricks.SHIPPED),
    "delta-ostree": delta(DeltaName.OSTREE, ostree_tricks.BASE, ostree_tricks.GOOD.file()),
    "delta-pdiff": delta(DeltaName.PDIFF, delta_tricks.BEFORE, delta_tricks.SCRIPT),
    "delta-rpm": delta(
        DeltaName.RPM, rpm_delta_tricks.RPM, *(one.file() for one in rpm_delta_tricks.GOOD.values())
    ),
    "delta-xdelta3": delta(DeltaName.XDELTA3, delta_tricks.OLD, delta_tricks.VCDIFF.file()),
    "delta-zstd": delta(DeltaName.ZSTD, delta_tricks.OLD, delta_tricks.ZSTD),
    "dsc": Target(reader="builders.locators.dsc:COMPANIONS", parameters={"name": "a.dsc"}),
    "elf": Target(
        reader="pipelines.explain.quickdiff:LOOK",
        parameters={"seconds": 1.0},
        beside=lambda: pairs()["debug-path-longer"][0],
        seeds=lambda: [rebuilt for _, rebuilt in pairs().values() if rebuilt[:4] == b"\x7fELF"],
    ),
    "bundle": Target(
        reader="pipelines.judge.signatures.graft_readers:PLAN",
        parameters=rauc_tricks.BY_ADA.model_dump(),
        beside=lambda: rauc_tricks.OURS,
        seeds=lambda: [rauc_tricks.GOOD],
    ),
    "fields": Target(
        reader="pipelines.judge.normalizers.find_fields:FIELDS",
        parameters={"at": tuple(range(0, 1000, 3))},
        seeds=normalized_files,
    ),
    "files": Target(reader="pipelines.judge.copied:FILES"),
    "jar": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=jar_tricks.JAR_BY_ANN.model_dump(),
        seeds=signed_packages,
    ),
    "look": Target(
        reader="pipelines.explain.quickdiff:LOOK", parameters={"seconds": 1.0}, beside=made_wheel
    ),
    "manifest-clamsign": Target(
        reader="pipelines.judge.updates.manifests.read_manifest:MANIFEST",
        parameters={"format": "clamsign"},
        seeds=lambda: [external_signatures.external()],
    ),
    "manifest-rauc": Target(
        reader="pipelines.judge.updates.manifests.read_manifest:MANIFEST",
        parameters={"format": "rauc"},
        seeds=lambda: [rauc_manifests.bundle().by(pe_tricks.ADA)],
    ),
    "manifest-tuf": Target(
        reader="pipelines.judge.updates.manifests.read_manifest:MANIFEST",
        parameters={"format": "tuf-targets"},
        seeds=lambda: [tuf_tricks.SHIPPED],
    ),
    "member": Target(
        reader="builders.inputs.archive_member:MEMBER", parameters={"path": "a.py"}, beside=bytes
    ),
    "members-ostree": Target(
        reader="pipelines.judge.updates.appliers:MEMBERS",
        parameters={"format": DeltaName.OSTREE, "size": 1 << 16},
        seeds=lambda: [ostree_tricks.BASE, ostree_tricks.TARGET],
        writes=True,
    ),
    "module": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=_MODULE,
        seeds=signed_modules,
    ),
    "module-splice": Target(
        reader="pipelines.judge.signatures.graft_readers:PLAN",
        parameters=_MODULE,
        beside=modules.module,
        seeds=signed_modules,
    ),
    "members-of-target": Target(
        reader="pipelines.judge.updates.appliers:MEMBERS",
        parameters={"format": "cdiff", "size": 1 << 20},
        seeds=signed_databases,
        writes=True,
    ),
    "pack": Target(
        reader="pipelines.judge.signatures.graft_readers:PACK",
        parameters={"pieces": [], "packing": GzipPacking()},
        beside=bytes,
        writes=True,
    ),
    "package": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=rpm_tricks.BY_ADA.model_dump(),
        seeds=lambda: [rpm_tricks.GOOD],
    ),
    "package-splice": Target(
        reader="pipelines.judge.signatures.graft_readers:PLAN",
        parameters=rpm_tricks.BY_ADA.model_dump(),
        beside=lambda: rpm_tricks.OURS,
        seeds=lambda: [rpm_tricks.GOOD],
    ),
    "packing": Target(
        reader="pipelines.explain.packing.recover:PACKING",
        parameters={"seconds": 1.0},
        beside=made_wheel,
    ),
    "parts": Target(reader="pipelines.infer.script.parts:PARTS"),
    "pe": Target(
        reader="pipelines.explain.quickdiff:LOOK",
        parameters={"seconds": 1.0},
        beside=lambda: pairs()["pe-path"][0],
        seeds=lambda: [rebuilt for _, rebuilt in pairs().values() if rebuilt[:2] == b"MZ"],
    ),
    "pack-rules": Target(
        reader="pipelines.rules.engines.packed_rules:PACK_RULES",
        parameters={"names": ("a.tar",)},
        writes=True,
    ),
    "pack-samples": Target(
        reader="pipelines.rules.engines.packed_rules:PACK_SAMPLES",
        writes=True,
    ),
    "repack": Target(
        reader="builders.packing.repack:REPACK",
        parameters={"packing": GzipPacking(), "most": 1 << 24},
        writes=True,
    ),
    "requirements": Target(
        reader="pipelines.infer.wheel.facts:REQUIREMENTS", parameters={"name": "a.whl"}
    ),
    "sdist": Target(reader="pipelines.infer.wheel.facts:SDIST", parameters={"name": "a.tar.gz"}),
    "source": Target(
        reader="builders.inputs.source_archive:ARCHIVE", parameters={"name": "a.tar.gz"}
    ),
    "signature": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=_PINNED,
        seeds=signed_files,
    ),
    "shown": Target(
        reader="pipelines.judge.signatures.shown:SHOW", parameters={}, seeds=signed_files
    ),
    "splice": Target(
        reader="pipelines.judge.signatures.graft_readers:PLAN",
        parameters=_PINNED,
        beside=program,
        seeds=signed_files,
    ),
    "tuf": Target(
        reader="pipelines.judge.signatures.graft_readers:VERIFY",
        parameters=tuf_tricks.PINS.model_dump(),
        seeds=lambda: [tuf_tricks.SHIPPED, tuf_tricks.OURS],
    ),
    "wheel": Target(reader="pipelines.infer.wheel.facts:WHEEL", parameters={"name": "a.whl"}),
}

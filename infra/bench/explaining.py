"""What explaining a difference costs beside unpacking and hashing, and what causes it names.

Files are made here, or given. Each pair is unpacked and hashed once, with the standard library;
explained by `samebits compare` as a whole process; and explained by diffoscope, if there is one.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import lzma
import random
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from math import ceil
from pathlib import Path
from statistics import median
from typing import IO, Any

import psutil

from infra.bench.planted import ar, planted_pairs, tar, zipped
from pipelines.explain.quickdiff import quick_diff

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FACTOR, CONSTANT, MEGABYTES = 1.3, 1.0, 150
"""What explaining may cost: times unpacking and hashing, plus seconds; and resident memory."""
_LIMIT = 600
_EVERY = 0.02
Pairs = dict[str, tuple[Path, Path]]


def measure(
    given: Sequence[tuple[Path, Path]] = (),
    *,
    megabytes: int = 100,
    runs: int = 3,
    diffoscope: str | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return what each pair costs, and the share of planted bytes whose cause is named."""
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as folder:
        made = {f"{one.name}, {other.name}": (one, other) for one, other in given}
        for name, pair in (made or _made(Path(folder), megabytes)).items():
            told(name)
            rows[name] = _row(pair, runs, diffoscope)
    return {
        "pairs": rows,
        "p95_share_of_allowed": _p95(row["share_of_allowed"] for row in rows.values()),
        "p95_cpu_share_of_allowed": _p95(row["cpu_share_of_allowed"] for row in rows.values()),
        "peak_megabytes": max(row["peak_megabytes"] for row in rows.values()),
        "allowed": f"{FACTOR} x bare + {CONSTANT:g} s, {MEGABYTES} MB",
        "causes": named_causes_share(),
    }


def _p95(values: Iterable[float]) -> float:
    """Return the least of the values that is not below 95 % of them."""
    known = sorted(values)
    return known[ceil(0.95 * len(known)) - 1]


def named_causes_share() -> dict[str, Any]:
    """Return how much of the planted bytes is told as the field in which they were planted."""
    total = named = 0
    missed = {}
    pairs = planted_pairs()
    for pair in pairs:
        look = quick_diff(io.BytesIO(pair.shipped), io.BytesIO(pair.rebuilt)).diff
        found = sum(f.differing_bytes for f in look.fields if f.field in pair.fields)
        share = min(found, pair.differing)
        total, named = total + pair.differing, named + share
        if share < 0.95 * pair.differing:
            missed[pair.cause] = f"{share} of {pair.differing}"
    return {
        "pairs": len(pairs),
        "bytes": total,
        "named_share": round(named / total, 4),
        "below_95_percent": missed,
    }


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Yield the figures as lines."""
    for name, row in figures["pairs"].items():
        other = "not run" if row["diffoscope"] is None else _cost(row["diffoscope"])
        yield (
            f"{name:<28} {row['megabytes']:>6} MB  bare {row['bare_seconds']:>6} s  "
            f"samebits {_cost(row)}, {row['share_of_allowed']:.0%} of allowed "
            f"({row['cpu_share_of_allowed']:.0%} by CPU)  diffoscope {other}"
        )
    p95, cpu = figures["p95_share_of_allowed"], figures["p95_cpu_share_of_allowed"]
    yield f"p95 {p95:.0%} of what is allowed ({cpu:.0%} by CPU): {figures['allowed']}"
    causes = figures["causes"]
    yield f"named: {causes['named_share']:.1%} of the bytes of {causes['pairs']} planted causes"
    yield from (f"  {cause}: {told}" for cause, told in causes["below_95_percent"].items())


def _cost(row: dict[str, Any]) -> str:
    return f"{row['seconds']:>6} s {row['peak_megabytes']:>4} MB"


def _row(pair: tuple[Path, Path], runs: int, diffoscope: str | None) -> dict[str, Any]:
    bare, cpu, ours = [], [], []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        for path in pair:
            _bare(path)
        bare.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
        command = (sys.executable, "-m", "pipelines.cli", "compare", "--json", *map(str, pair))
        ours.append(_run(*command))
    seconds, busy = (median(run[name] for run in ours) for name in ("seconds", "cpu_seconds"))
    theirs = _run(diffoscope, "--text", "/dev/null", *map(str, pair)) if diffoscope else None
    return {
        "megabytes": round(max(path.stat().st_size for path in pair) / 1e6, 1),
        "bare_seconds": round(median(bare), 2),
        "bare_cpu_seconds": round(median(cpu), 2),
        "seconds": seconds,
        "cpu_seconds": busy,
        "peak_megabytes": max(run["peak_megabytes"] for run in ours),
        "share_of_allowed": round(seconds / (FACTOR * median(bare) + CONSTANT), 3),
        "cpu_share_of_allowed": round(busy / (FACTOR * median(cpu) + CONSTANT), 3),
        "diffoscope": theirs,
    }


def _run(*command: str) -> dict[str, Any]:
    """Run a command; return its seconds, those of CPU, and the memory of its largest process."""
    start, peak, used = time.perf_counter(), 0, dict[int, float]()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None and time.perf_counter() - start < _LIMIT:
            with suppress(psutil.Error):
                for one in (watched, *watched.children(recursive=True)):
                    peak = max(peak, one.memory_info().rss)
                    used[one.pid] = sum(one.cpu_times()[:2])
            time.sleep(_EVERY)
        process.kill()
    seconds = time.perf_counter() - start
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(sum(used.values()), 2),
        "peak_megabytes": round(peak / 1e6),
    }


def _bare(path: Path) -> None:
    """Hash a file, and unpack and hash what is in it, as deep as it is compared."""
    with path.open("rb") as file:
        _hashed(file)
        file.seek(0)
        head = file.read(8)
        file.seek(0)
        if head.startswith(b"PK"):
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    with archive.open(info) as member:
                        _hashed(member)
            return
        if head.startswith(b"!<arch>"):
            file.seek(file.read(1 << 20).index(b"data.tar.xz") + 60)
            head = file.read(8)
            file.seek(-8, 1)
        with (
            suppress(tarfile.ReadError),
            _opened(file, head) as content,
            tarfile.open(fileobj=content, mode="r|") as tarred,
        ):
            for entry in tarred:
                if (inner := tarred.extractfile(entry)) is not None:
                    data = inner.read()
                    _hashed(io.BytesIO(data))
                    if data[:2] in {b"\x1f\x8b", b"\xfd7"}:
                        _hashed(_opened(io.BytesIO(data), data[:8]))


def _opened(file: IO[bytes], head: bytes) -> Any:
    """Return the content of a compressed file; of another one, the file."""
    openers: dict[bytes, Any] = {
        b"\x1f\x8b": gzip.open, b"\x28\xb5": zstd.open, b"\xfd7": lzma.open,
    }  # fmt: skip
    opener = openers.get(head[:2])
    return file if opener is None else opener(file)


def _hashed(file: IO[bytes]) -> str:
    hasher = hashlib.sha256()
    while piece := file.read(1 << 18):
        hasher.update(piece)
    return hasher.hexdigest()


def _made(folder: Path, megabytes: int) -> Pairs:
    """Make pairs of at most so many megabytes that differ in one member, or in all times."""
    chosen = random.Random(3)  # noqa: S311  # no secret
    size = megabytes * 1_000_000
    files = {
        f"usr/lib/part-{n:03}": base64.b85encode(chosen.randbytes(size // 64 * 4 // 5))
        for n in range(60)
    }
    small = dict(list(files.items())[:20])

    def changed(of: dict[str, bytes]) -> dict[str, bytes]:
        return {**of, "usr/lib/part-007": of["usr/lib/part-007"].replace(b"a", b"b", 1)}

    makers: dict[str, Callable[[dict[str, bytes], int], bytes]] = {
        "bytes": lambda f, _: b"".join(f.values()),
        "tar": lambda f, at: tar(f, mtime=at),
        "tar.gz": lambda f, at: gzip.compress(tar(f, mtime=at), 1, mtime=0),
        "tar.zst": lambda f, at: zstd.compress(tar(f, mtime=at), 1),
        "whl": lambda f, at: zipped(f, level=1, date_time=(2020, 1, 1, 0, 0, at % 60 // 2 * 2)),
        "deb": lambda f, at: ar(
            {
                "debian-binary": b"2.0\n",
                "control.tar.xz": lzma.compress(tar({"control": b"Package: made\n"})),
                "data.tar.xz": lzma.compress(tar(f, mtime=at), preset=0),
            }
        ),
    }
    found: Pairs = {}
    for suffix, make in makers.items():
        these = small if suffix in {"deb", "whl"} else files
        for what, one, other in (
            ("one member", make(these, 0), make(changed(these), 0)),
            ("all times", make(these, 0), make(these, 1_000_000_010)),
        ):
            if one == other:
                continue
            name = f"{what}.{suffix}".replace(" ", "-")
            paths = folder / "shipped" / name, folder / "rebuilt" / name
            for path, data in zip(paths, (one, other), strict=True):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            found[f"{what} of a {suffix}"] = paths
    return found

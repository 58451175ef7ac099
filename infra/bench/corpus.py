"""How many releases of a list can be rebuilt bit for bit, and why the others cannot.

Releases run side by side; one that cannot be tried is one row, and the others go on. What is
finished is kept (see `pipelines.infer.journal`), so that an interrupted run resumes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from builders.core.errors import CancelledError, RebuildError, SamebitsError, UsageError
from builders.core.smallfile import read_small_file
from builders.locators.package_index import ProjectReader
from pipelines.infer.inference import infer_release
from pipelines.infer.journal import SearchJournal
from pipelines.infer.search import SearchLimits
from pipelines.verify.session import Session

MAX_LIST = 4 << 20
STATUSES = ("identical", "equivalent", "different", "build failed", "not available")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One release of the list; `seconds` of wall time, inference included."""

    purl: str
    status: str
    reason: str
    causes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    tries: int = 0
    seconds: float = 0
    bits: float = 0
    scalars: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is odd about the release itself, such as a RECORD that lies."""


def read_list(path: Path) -> list[str]:
    """Return the purls of a list: one a line, `#` starts a comment. Raises `UsageError`."""
    text = read_small_file(path, limit=MAX_LIST, file=str(path)).decode("utf-8", "replace")
    purls = [line.partition(" #")[0].strip() for line in text.splitlines()]
    found = list(dict.fromkeys(p for p in purls if p and not p.startswith("#")))
    if not found:
        raise UsageError(f"{path} lists no release", expected="one purl a line")
    return found


def measure(
    purls: Sequence[str],
    session: Session,
    index: ProjectReader,
    *,
    jobs: int,
    limits: SearchLimits,
    tell: Callable[[int, Row], None] = lambda _, __: None,
) -> list[Row]:
    """Infer every release, `jobs` side by side, and return the rows in the order of the list.

    `tell` is called with the number of rows that are done. Raises `CancelledError`.
    """
    lock, done = threading.Lock(), 0

    def one(purl: str) -> Row:
        nonlocal done
        row = _row(purl, session, index, limits)
        with lock:
            done += 1
            tell(done, row)
        return row

    session.prepare()
    with ThreadPoolExecutor(jobs, thread_name_prefix="corpus") as pool:
        return list(pool.map(one, purls))


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures of a run as one JSON document."""
    counts = Counter(row.status for row in rows)
    tried = [row for row in rows if row.status != "not available"]
    explained = [r for r in tried if r.status == "identical" or _named(r)]
    return {
        "releases": len(rows),
        "counts": {status: counts[status] for status in STATUSES},
        "fetchable": len(tried),
        "identical_share": _share(counts["identical"], len(tried)),
        "explained_share": _share(len(explained), len(tried)),
        "causes": dict(Counter(c for row in rows for c in row.causes).most_common()),
        "median_seconds": round(median(r.seconds for r in tried), 1) if tried else None,
        "median_tries": median(r.tries for r in tried) if tried else None,
        "rows": [asdict(row) for row in rows],
    }


def _named(row: Row) -> bool:
    return bool(row.causes) and "unexplained" not in row.causes


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _row(purl: str, session: Session, index: ProjectReader, limits: SearchLimits) -> Row:
    try:
        session.raise_if_cancelled()
        return _of(purl, infer_release(purl, session, index, limits))
    except CancelledError:
        raise
    except (RebuildError, UsageError) as error:
        return Row(purl=purl, status="not available", reason=str(error))
    except SamebitsError as error:
        return Row(purl=purl, status="not available", reason=f"{type(error).__name__}: {error}")
    except Exception as error:  # noqa: BLE001  # a fault of ours in one release ends no run
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return Row(purl=purl, status="not available", reason=f"samebits itself failed: {said}")


def _of(purl: str, journal: SearchJournal) -> Row:
    return Row(
        purl=purl,
        status=journal.status,
        reason=journal.reason,
        causes=_unique(cause.name for cause in journal.causes),
        details=tuple(f"{cause.name}: {cause.detail}" for cause in journal.causes),
        tries=len(journal.tries),
        seconds=journal.seconds,
        bits=journal.bits,
        scalars=tuple(f"{s.name} {s.value}" for s in journal.scalars),
        notes=journal.notes,
    )


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))

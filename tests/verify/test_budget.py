"""Cores and memory shared between processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

from pipelines.verify.budget import Ledger

GIB = 1 << 30
HOLDER = """
import sys, threading, time
from pathlib import Path
from pipelines.verify.budget import Ledger
with Ledger(Path(sys.argv[1]), cpus=2, memory=4 << 30).share(
    cpus=1, memory=3 << 30, cancelled=threading.Event()
):
    print("held", flush=True)
    time.sleep(60)
"""


def gets(folder: Path, *, cpus: float = 1, memory: int = GIB, seconds: float = 0.5) -> bool:
    """Say whether a share is to be had within some time."""
    ledger, got, stop = Ledger(folder, cpus=2, memory=4 * GIB), threading.Event(), threading.Event()

    def work() -> None:
        with ledger.share(cpus=cpus, memory=memory, cancelled=stop):
            if not stop.is_set():
                got.set()

    thread = threading.Thread(target=work)
    thread.start()
    found = got.wait(seconds)
    stop.set()
    thread.join()
    return found


def test_what_another_process_holds_is_not_given_out_until_it_dies(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert gets(tmp_path), "one GiB beside it fits"
        assert not gets(tmp_path, memory=2 * GIB)
        assert not gets(tmp_path, cpus=2)
        holder.kill()
        holder.wait()
        assert gets(tmp_path, cpus=2, memory=4 * GIB, seconds=5), "the dead hold nothing"


def test_one_that_wants_more_than_there_is_gets_all(tmp_path: Path) -> None:
    assert gets(tmp_path, cpus=64, memory=100 * GIB)


def test_never_more_is_held_than_there_is(tmp_path: Path) -> None:
    ledger, lock = Ledger(tmp_path, cpus=2, memory=4 * GIB), threading.Lock()
    held = peak = 0

    def work() -> None:
        nonlocal held, peak
        with ledger.share(cpus=1, memory=GIB, cancelled=threading.Event()):
            with lock:
                held += 1
                peak = max(peak, held)
            time.sleep(0.02)
            with lock:
                held -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak == 2


def test_a_cancelled_run_stops_waiting(tmp_path: Path) -> None:
    ledger, cancelled = Ledger(tmp_path, cpus=1, memory=GIB), threading.Event()
    with ledger.share(cpus=1, memory=GIB, cancelled=threading.Event()):
        cancelled.set()
        with ledger.share(cpus=1, memory=GIB, cancelled=cancelled):
            pass
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.lock"]

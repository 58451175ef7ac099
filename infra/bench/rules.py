"""What comparing two large rule sets costs: seconds and memory of `samebits rules diff`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from builders.core.errors import InfrastructureError
from infra.bench.commits import CHECKOUT
from infra.bench.show import spread

_EVERY = 0.005
_PER_FILE = 200
_CHANGED = 20
"""One rule in so many is changed."""


def _yara(number: int, size: int) -> str:
    return f"""rule made_{number} : made {{
    meta:
        author = "bench"
        severity = "high"
    strings:
        $a = "made up text {number}" nocase wide
        $b = {{ 4D 5A ?? {number % 256:02X} [2-6] 50 45 }}
        $c = /made=[a-z0-9]{{4,{8 + number % 9}}}/
    condition:
        filesize < {size}KB and ($a or ($b and #c > 2) or 2 of them)
}}
"""


def _clamav(number: int, size: int) -> str:
    text = f"made up {number}".encode().hex()
    return (
        f"Made.Up-{number};Engine:51-255,FileSize:0-{size},Target:0;(0|1)&2>1;"
        f"{text}::i;{text}::aw;{text}??{number % 256:02x}\n"
    )


def _suricata(number: int, size: int) -> str:
    return (
        f'alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"made up {number}"; '
        f'flow:established,to_server; http.uri; content:"/made/{number}"; nocase; '
        f'http.user_agent; content:"bot"; depth:{size}; pcre:"/up[0-9]+/R"; '
        f"reference:url,lab.example/{number}; classtype:trojan-activity; "
        f"sid:{1_000_000 + number}; rev:1;)\n"
    )


def _modsecurity(number: int, size: int) -> str:
    return (
        f'SecRule ARGS|REQUEST_HEADERS|!REQUEST_COOKIES:/__utm/ "@rx (?i)made{number}|up" \\\n'
        f"    \"id:{100_000 + number},phase:2,deny,t:none,t:urlDecodeUni,msg:'made up',"
        "severity:'CRITICAL',tag:'made',chain\"\n"
        f'    SecRule &ARGS "@lt {size}" "t:none"\n'
    )


def _sigma(number: int, size: int) -> str:
    return f"""title: made up {number}
id: 00000000-0000-4000-8000-{number:012}
status: test
logsource: {{category: process_creation, product: windows}}
detection:
    selection:
        Image|endswith: ['\\made{number}.exe', '\\up.exe']
        CommandLine|contains: 'size {size}'
    filter:
        User: system
    condition: selection and not filter
level: high
"""


def _semgrep(number: int, size: int) -> str:
    return f"""- id: made-{number}
  languages: [python]
  severity: ERROR
  message: made up
  patterns:
    - pattern-either:
        - pattern: made_{number}(...)
        - pattern: up(..., {size})
    - pattern-not: made_{number}("safe")
"""


_LANGUAGES: dict[str, tuple[str, str, str, Callable[[int, int], str]]] = {
    "yara": ("yar", "", "", _yara),
    "clamav": ("ldb", "", "", _clamav),
    "suricata": ("rules", "", "", _suricata),
    "modsecurity": ("conf", "", "", _modsecurity),
    "sigma": ("yml", "", "---\n", _sigma),
    "semgrep": ("yaml", "rules:\n", "", _semgrep),
}
"""Suffix, head of a file, what stands between rules, and how a rule is made."""


def measure(
    count: int, *, runs: int, told: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Return what comparing two sets of `count` rules costs, all languages together and each."""
    each = max(1, count // len(_LANGUAGES))
    figures: dict[str, Any] = {"rules": each * len(_LANGUAGES), "changed": _CHANGED}
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        folder = Path(name)
        for language in ("all", *_LANGUAGES):
            told(language)
            sides = [folder / language / side for side in ("old", "new")]
            for one in _LANGUAGES if language == "all" else (language,):
                for side, change in zip(sides, (False, True), strict=True):
                    _make(side / one, one, each if language == "all" else count, change=change)
            figures[language] = _diff(sides[0], sides[1], runs)
    return figures


def _make(folder: Path, language: str, count: int, *, change: bool) -> None:
    suffix, head, between, rule = _LANGUAGES[language]
    folder.mkdir(parents=True)
    for first in range(0, count, _PER_FILE):
        numbers = range(first, min(count, first + _PER_FILE))
        made = [rule(n, 50 if change and n % _CHANGED == 0 else 100) for n in numbers]
        path = folder / f"made-{first}.{suffix}"
        path.write_text(head + between.join(made), encoding="utf-8")


def _diff(old: Path, new: Path, runs: int) -> dict[str, Any]:
    seconds, largest, together = [], 0, 0
    spent: dict[int, float] = {}
    document: dict[str, Any] = {}
    for _ in range(runs):
        start = time.perf_counter()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            command = [sys.executable, "-m", "pipelines.cli", "rules", "diff", "--json"]
            child = subprocess.Popen(
                [*command, str(old), str(new)], cwd=CHECKOUT, stdout=out, stderr=err
            )
            looker = psutil.Process(child.pid)
            while child.poll() is None:
                sizes = list(_sizes(looker, spent))
                largest = max(largest, *sizes, 0)
                together = max(together, sum(sizes))
                time.sleep(_EVERY)
            seconds.append(time.perf_counter() - start)
            if child.returncode not in {0, 1}:
                err.seek(0)
                said = err.read().decode(errors="replace")[-300:]
                raise InfrastructureError("samebits rules diff failed", got=said)
            out.seek(0)
            document = json.load(out)
    return {
        "seconds": spread(seconds),
        "cpu_seconds": round(sum(spent.values()) / runs, 2),
        "peak_megabytes": round(largest / 1e6),
        "peak_megabytes_together": round(together / 1e6),
        "rules": document["new"]["rules"],
        "effects": document["effects"],
    }


def _sizes(process: psutil.Process, spent: dict[int, float]) -> Iterator[int]:
    """Yield the bytes that a process and each below it has in memory; note its seconds of CPU."""
    with suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                times = one.cpu_times()
                spent[one.pid] = times.user + times.system
                yield int(one.memory_info().rss)

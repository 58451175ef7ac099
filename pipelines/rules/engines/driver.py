"""Run the engines of detection rules over samples; a program of its own, for the container.

Usage: driver.py OLD.tar NEW.tar SAMPLES.tar RESULT.json

Each engine that is installed runs with the rules of its language in OLD, then those in NEW, over
the samples that it reads. The result has what each rule did, by sample. Needs Python 3.11 and no
module beside its own; imports nothing of samebits.
"""

from __future__ import annotations

import ctypes
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

CLAMAV = frozenset(
    """cbc cdb crb fp ftm hdb hdu hsb hsu idb ign ign2 imp ldb ldu mdb mdu msb msu ndb ndu pdb
    sfp wdb""".split()  # noqa: SIM905  # as a list, it is 23 lines
)
PCAP = (b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a")
REQUEST = re.compile(rb"[A-Z]{3,20} \S+ HTTP/1\.[01]\r?\n")
FAULTS = 20
SECONDS = 300


def run(*command: str | Path) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of a program."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    return done.returncode, out, err


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the files whose names end so, sorted."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(p for p in found if p.suffix.lower().lstrip(".") in suffixes)


class EngineFindings:
    """What an engine did with one rule set."""

    def __init__(self) -> None:
        self.caught: dict[str, dict[str, str]] = defaultdict(dict)
        """What each rule did, by sample."""
        self.faults: list[str] = []

    def fault(self, text: str) -> None:
        """Keep what went wrong, the first few lines of it."""
        if len(self.faults) < FAULTS:
            self.faults.append(text.strip()[:300])

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"caught": self.caught, "faults": self.faults}


class RuleEngine(Protocol):
    """One engine of rules."""

    name: str

    def version(self) -> str | None:
        """Return the version; None where it is not installed."""

    def rules(self, folder: Path) -> list[Path]:
        """Return the files of its rules."""

    def reads(self, sample: Path, /) -> bool:
        """Say whether it looks at a sample."""

    def run(
        self, rules: Sequence[Path], samples: Sequence[Path], folder: Path, /
    ) -> EngineFindings:
        """Return what it finds; `folder` may be written to."""


class Yara:
    """yara: each file of rules by itself, so that a faulty one takes none of the others along."""

    name = "yara"

    def version(self) -> str | None:
        """Return the version; None where it is not installed."""
        return run("yara", "--version")[1].strip() if shutil.which("yara") else None

    def rules(self, folder: Path) -> list[Path]:
        """Return the files of rules."""
        return files_below(folder, {"yar", "yara"})

    def reads(self, _sample: Path) -> bool:
        """Say whether it looks at a sample."""
        return True

    def run(self, rules: Sequence[Path], samples: Sequence[Path], _folder: Path) -> EngineFindings:
        """Return what it finds."""
        result = EngineFindings()
        for file in rules:
            for sample in samples:
                code, out, err = run("yara", "-w", file, sample)
                if code:
                    result.fault(f"{file.name}: {err}")
                    break
                for line in out.splitlines():
                    result.caught[sample.name][line.partition(" ")[0]] = "match"
        return result


class ClamAV:
    """clamscan with the files of rules as its only database."""

    name = "clamav"

    def version(self) -> str | None:
        """Return the version; None where it is not installed."""
        return run("clamscan", "--version")[1].strip() if shutil.which("clamscan") else None

    def rules(self, folder: Path) -> list[Path]:
        """Return the files of signatures."""
        return files_below(folder, CLAMAV)

    def reads(self, _sample: Path) -> bool:
        """Say whether it looks at a sample."""
        return True

    def run(self, rules: Sequence[Path], samples: Sequence[Path], folder: Path) -> EngineFindings:
        """Return what it finds."""
        result = EngineFindings()
        database = Path(tempfile.mkdtemp(dir=folder))
        for number, file in enumerate(rules):
            shutil.copyfile(file, database / f"{number}{file.suffix.lower()}")
        code, out, err = run(
            "clamscan", "--allmatch", "--no-summary", "--infected", "-d", database, *samples
        )
        if code not in (0, 1):
            result.fault(err or out)
        for line in out.splitlines():
            path, colon, said = line.rpartition(": ")
            if colon and said.endswith(" FOUND"):
                name = said[: -len(" FOUND")].removesuffix(".UNOFFICIAL")
                result.caught[Path(path).name][name] = "match"
        return result


class Suricata:
    """suricata, reading one capture at a time as if it could drop packets."""

    name = "suricata"

    def version(self) -> str | None:
        """Return the version; None where it is not installed."""
        return run("suricata", "-V")[1].strip() if shutil.which("suricata") else None

    def rules(self, folder: Path) -> list[Path]:
        """Return the files of rules."""
        return files_below(folder, {"rules"})

    def reads(self, sample: Path) -> bool:
        """Say whether a sample is a capture."""
        with sample.open("rb") as stream:
            return stream.read(4) in PCAP

    def run(self, rules: Sequence[Path], samples: Sequence[Path], folder: Path) -> EngineFindings:
        """Return the alerts."""
        result = EngineFindings()
        every = Path(tempfile.mkdtemp(dir=folder)) / "all.rules"
        every.write_bytes(b"\n".join(file.read_bytes() for file in rules) + b"\n")
        for sample in samples:
            logs = Path(tempfile.mkdtemp(dir=folder))
            code, out, err = run(
                "suricata", "-c", "/etc/suricata/suricata.yaml", "-S", every, "-l", logs,
                "-k", "none", "--runmode", "single", "--simulate-ips", "-r", sample,
            )  # fmt: skip
            if code:
                result.fault(err or out)
            for line in err.splitlines():
                if "rror" in line and "rule" in line:
                    result.fault(line)
            events = logs / "eve.json"
            for said in events.read_bytes().splitlines() if events.is_file() else ():
                event = json.loads(said)
                if event.get("event_type") in ("alert", "drop") and "alert" in event:
                    alert = event["alert"]
                    blocked = event["event_type"] == "drop" or alert.get("action") == "blocked"
                    name = f"{alert['gid']}:{alert['signature_id']}"
                    before = result.caught[sample.name].get(name)
                    done = "blocked" if blocked or before == "blocked" else "alert"
                    result.caught[sample.name][name] = done
            shutil.rmtree(logs)
        return result


class Intervention(ctypes.Structure):
    """`ModSecurityIntervention` of libmodsecurity 3."""

    _fields_ = (
        ("status", ctypes.c_int),
        ("pause", ctypes.c_int),
        ("url", ctypes.c_char_p),
        ("log", ctypes.c_char_p),
        ("disruptive", ctypes.c_int),
    )


class ModSecurity:
    """libmodsecurity 3, given requests by its C interface."""

    name = "modsecurity"
    _library = "libmodsecurity.so.3"
    _logged = re.compile(rb'\[id "(\d+)"\]')

    def version(self) -> str | None:
        """Return the version; None where it is not installed. Starts the engine."""
        try:
            library = ctypes.CDLL(self._library)
        except OSError:
            return None
        for name in ("init", "create_rules_set", "new_transaction"):
            getattr(library, f"msc_{name}").restype = ctypes.c_void_p
        library.msc_who_am_i.restype = ctypes.c_char_p
        self._api = library
        self._engine = ctypes.c_void_p(library.msc_init())
        return str(library.msc_who_am_i(self._engine).decode())

    def rules(self, folder: Path) -> list[Path]:
        """Return the files of rules, the set-up first."""
        found = (f for f in files_below(folder, {"conf"}) if b"Sec" in f.read_bytes())
        return sorted(found, key=lambda file: ("setup" not in file.name, file))

    def reads(self, sample: Path) -> bool:
        """Say whether a sample is a request."""
        with sample.open("rb") as stream:
            return REQUEST.match(stream.read(1 << 16)) is not None

    def run(self, rules: Sequence[Path], samples: Sequence[Path], _folder: Path) -> EngineFindings:
        """Return the rules that are logged, and what blocks."""
        result = EngineFindings()
        loaded = ctypes.c_void_p(self._api.msc_create_rules_set())
        for file in rules:
            error = ctypes.c_char_p()
            path = str(file).encode()
            if self._api.msc_rules_add_file(loaded, path, ctypes.byref(error)) < 0:
                said = (error.value or b"").decode("utf-8", "backslashreplace")
                result.fault(f"{file.name}: {said}")
        for sample in samples:
            lines: list[bytes] = []
            log = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)(
                lambda _data, line, lines=lines: lines.append(line)
            )
            self._api.msc_set_log_cb(self._engine, log)
            blocked = self._request(loaded, sample.read_bytes())
            for line in lines:
                for name in self._logged.findall(line):
                    result.caught[sample.name][name.decode()] = "log"
            for name in () if blocked is None else self._logged.findall(blocked) or [b"(request)"]:
                result.caught[sample.name][name.decode()] = "blocked"
        return result

    def _request(self, loaded: ctypes.c_void_p, data: bytes) -> bytes | None:
        """Have one request looked at; return what blocks it, None where nothing does."""
        head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
        first, *headers = head.split(b"\n")
        method, uri, version = first.split(b" ", 2)
        api = self._api
        transaction = ctypes.c_void_p(api.msc_new_transaction(self._engine, loaded, None))
        try:
            api.msc_process_connection(transaction, b"192.0.2.1", 40000, b"192.0.2.2", 80)
            api.msc_process_uri(transaction, uri, method, version.partition(b"/")[2].strip())
            for header in headers:
                name, _, value = header.partition(b":")
                api.msc_add_request_header(transaction, name.strip(), value.strip())
            api.msc_process_request_headers(transaction)
            blocked = self._disrupted(transaction)
            if blocked is None:
                api.msc_append_request_body(transaction, body, ctypes.c_size_t(len(body)))
                api.msc_process_request_body(transaction)
                blocked = self._disrupted(transaction)
            api.msc_process_logging(transaction)
            return blocked
        finally:
            api.msc_transaction_cleanup(transaction)

    def _disrupted(self, transaction: ctypes.c_void_p) -> bytes | None:
        """Return what is logged of a rule that has ended the request; None if none has."""
        done = Intervention(status=200)
        ended = self._api.msc_intervention(transaction, ctypes.byref(done)) and done.disruptive
        return (done.log or b"") if ended else None


def unpacked(tar: str, folder: Path) -> Path:
    """Unpack a tar, plain files alone, and return its folder."""
    folder.mkdir()
    with tarfile.open(tar) as archive:
        for member in archive:
            if member.isfile():
                archive.extract(member, folder, filter="data")
    return folder


def results(
    engine: RuleEngine, old: Path, new: Path, samples: Sequence[Path], folder: Path
) -> dict[str, Any]:
    """Return what one engine did."""
    sides = {"old": engine.rules(old), "new": engine.rules(new)}
    if not any(sides.values()):
        return {"status": "no-rules"}
    version = engine.version()
    if version is None:
        return {"status": "not-installed"}
    taken = [sample for sample in samples if engine.reads(sample)]
    told: dict[str, Any] = {"version": version[:200], "samples": [sample.name for sample in taken]}
    for side, rules in sides.items():
        result = EngineFindings()
        try:
            if rules:
                result = engine.run(rules, taken, folder)
        except subprocess.TimeoutExpired:
            result.fault(f"it did not end within {SECONDS} s")
        told[side] = result.to_dict()
    return {"status": "run", **told}


def main(old: str, new: str, samples: str, out: str) -> None:
    """Run all engines, and write the result."""
    folder = Path(tempfile.mkdtemp())
    names = ("old", "new", "samples")
    tars = (old, new, samples)
    sides = [unpacked(tar, folder / name) for tar, name in zip(tars, names, strict=True)]
    files = sorted(path for path in sides[2].rglob("*") if path.is_file())
    engines: tuple[RuleEngine, ...] = (Yara(), ClamAV(), Suricata(), ModSecurity())
    found = {e.name: results(e, sides[0], sides[1], files, folder) for e in engines}
    Path(out).write_text(json.dumps(found), encoding="utf-8")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])

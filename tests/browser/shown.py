"""The releases that the tested portal shows: one of each result, and one full of hostile text."""

from __future__ import annotations

from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile
from pipelines.evidence.statements.log_status import Work
from pipelines.evidence.statements.statement import DigestSet
from pipelines.nightly.record import store_night
from tests.browser.evidence import Evidence, pinned_file, tar
from tests.centers.three import NAMES
from tests.judge.updates.delta_makers import Bsdiff
from tests.lab import SOURCE
from tests.nightly.nights import entry, night

HOSTILE = (
    "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>\u202egpj.exe\u200b&amp;"
)
"""Text of others: markup, the end of a script, a change of direction, and what nobody sees."""
LINE = 10_000_000
"""Bytes of one line of a file that differs."""
AGENT, RULES = "agent.tar", "rules.yar"
DIFFOSCOPE = b"""<!DOCTYPE html><html><head><title>diffoscope</title><style>
.del { background: #fdd } .add { background: #dfd } table { width: 1200px }</style></head>
<body><h1>Between shipped and rebuilt</h1><table><tr><td class="del">server = <b>one</b></td>
<td class="add">server = <b>two</b></td></tr></table></body></html>"""
"""As diffoscope writes it: with styles of its own, and as wide as it likes."""
_DEBUG = {"agent.debug": b"symbols that nobody ships\n"}
_RULE = 'rule dropper {{ strings: $a = "evil.example" $b = "{}" condition: {} of them }}\n'
_CONFIRMED = {"6.1": "20260312", "6.2": "20260504", "6.3": "20260717"}


def agent(version: str) -> bytes:
    """Return what `acme/agent` is in a version."""
    return tar({
        "agent": b"\x7fELF" + version.encode() * 200,
        "agent.conf": b"server = one\n",
        "NEWS": version.encode(),
    })  # fmt: skip


def fill(evidence: Evidence, *, hostile: bool = True) -> None:
    """Let the centers find what the pages show; `hostile`: also of a vendor whose texts are."""
    _history(evidence)
    _differences(evidence)
    _update(evidence)
    _not_judged(evidence)
    _private(evidence)
    if hostile:
        _hostile(evidence)
    _nights(evidence)
    evidence.meet({
        "europe": Work(due=9, done=9, failed=0, night="2026-11-27"),
        "asia": Work(due=9, done=8, failed=1, night="2026-11-27"),
    })  # fmt: skip
    for version in (*_CONFIRMED, "6.4", "6.5"):
        evidence.join(f"acme/agent@{version}")
    for name in ("vault@3.1", "console@1.0", "console@1.1"):
        evidence.join(f"globex/{name}")
    if hostile:
        evidence.meet({})
        evidence.acknowledge("mallory/markup@1.0", "suspect", HOSTILE.partition("\u202e")[0])
    evidence.meet({})


def _everywhere(
    evidence: Evidence,
    name: str,
    shipped: dict[str, bytes],
    *outputs: dict[str, bytes],
    diffoscope: bytes = b"",
) -> None:
    """Let Europe really build a release, and the others say that they have built the same.

    With several `outputs` each center has its own.
    """
    each = outputs * len(NAMES) if len(outputs) == 1 else outputs
    report = evidence.build(name, NAMES[0], each[0], diffoscope=diffoscope)
    assert report.claim
    assert report.scope
    for number, (center, built) in enumerate(zip(NAMES[1:], each[1:], strict=True)):
        files = {n: _file(content, built[n]) for n, content in shipped.items()}
        evidence.tell(
            name,
            center,
            f"{report.run[:-1]}{number}",
            files,
            claim=DigestSet(sha256=report.claim),
            scope=DigestSet(sha256=report.scope),
            by_products={n: content for n, content in built.items() if n not in shipped},
        )


def _file(shipped: bytes, built: bytes) -> MadeUpFile:
    if shipped == built:
        return MadeUpFile.identical(shipped)
    return MadeUpFile.different(shipped, built)


def _history(evidence: Evidence) -> None:
    """Versions that everybody confirmed."""
    for version, day in _CONFIRMED.items():
        name = f"acme/agent@{version}"
        evidence.ship(name, {AGENT: agent(version)})
        for number, center in enumerate(NAMES):
            run = f"{day}T0{number + 1}0405Z-0000000{number}"
            files = {AGENT: MadeUpFile.identical(agent(version))}
            evidence.tell(name, center, run, files, by_products=_DEBUG)
    evidence.ship("acme/agent@6.4", {AGENT: agent("6.4")})
    for center in NAMES:  # really, so that its bundles hold in every respect
        evidence.build("acme/agent@6.4", center, {AGENT: agent("6.4"), **_DEBUG})


def _differences(evidence: Evidence) -> None:
    """One center that built something else, all that did, and a rule that was weakened."""
    shipped = {AGENT: agent("6.5")}
    other = tar({"agent": b"\x7fELF" + b"another" * 100, "agent.conf": b"server = two\n"})
    evidence.ship("acme/agent@6.5", shipped)
    right, wrong = {**shipped, **_DEBUG}, {AGENT: other, **_DEBUG}
    _everywhere(evidence, "acme/agent@6.5", shipped, wrong, right, right)
    shipped = {"sensor.tar": agent("2.0")}
    evidence.ship("acme/sensor@2.0", shipped, explain="diffoscope")
    _everywhere(evidence, "acme/sensor@2.0", shipped, {"sensor.tar": other}, diffoscope=DIFFOSCOPE)
    rules, weaker = (_RULE.format("dropper.exe", many).encode() for many in ("all", "any"))
    evidence.ship("acme/rules@2026.11", {RULES: rules}, kind="ruleset")
    _everywhere(evidence, "acme/rules@2026.11", {RULES: rules}, {RULES: weaker})


def _update(evidence: Evidence) -> None:
    """An update by two deltas, of which one leads to another file."""
    full = {version: agent(version) for version in ("1.0", "1.1", "6.6")}
    evidence.ship("globex/console@1.0", {"console-1.0.tar": full["1.0"]})
    deltas = {
        f"console-{leads}.bsdiff": Bsdiff(
            size=len(full[to]), steps=((0, len(full[to]), 0),), extra=full[to]
        ).file()
        for leads, to in {"1.0-1.1": "1.1", "elsewhere": "6.6"}.items()
    }
    base = pinned_file("1.1", "base.tar", full["1.0"])
    about = {"format": "bsdiff", "judged": "applied", "base": base["sha256"]}
    shipped = {"console-1.1.tar": full["1.1"], **deltas}
    evidence.ship(
        "globex/console@1.1",
        shipped,
        beside={"base.tar": full["1.0"]},
        kind="update",
        inputs=[
            {"role": "source", **pinned_file("1.1", "source.c", SOURCE)},
            {"role": "base", "release": "globex/console@1.0", **base},
        ],
        artefacts=[
            {
                "name": name,
                "shipped": pinned_file("1.1", name, content),
                **({"delta": {**about, "target": "console-1.1.tar"}} if name in deltas else {}),
            }
            for name, content in shipped.items()
        ],
    )
    for center in NAMES[:2]:
        for version in ("1.0", "1.1"):
            built = {f"console-{version}.tar": full[version], **_DEBUG}
            evidence.build(f"globex/console@{version}", center, built)


def _nights(evidence: Evidence) -> None:
    """The last night of two centers."""
    failed = entry("acme/agent@6.5", "DIFFERENT"), entry("acme/sensor@2.0", "DIFFERENT")
    for center, entries in (("europe", failed), ("asia", failed[1:])):
        record = night(
            entry("acme/agent@6.4"),
            *entries,
            center=center,
            night="20261128T010000Z-00000000",
            started="2026-11-28T01:00:00+00:00",
            finished="2026-11-28T01:40:00+00:00",
        )
        store_night(evidence.three.store(center), record)


def _not_judged(evidence: Evidence) -> None:
    """A release that nobody could build, and one that nobody has judged."""
    evidence.ship("acme/driver@1.0", {"driver.ko": b"a driver"})
    unbuilt = MadeUpFile(
        published=b"a driver", served=None, built=None, verdict=Verdict.NOT_CHECKED
    )
    for number, center in enumerate(NAMES):
        run = f"20261119T0{number + 1}0405Z-0000000{number}"
        files = {"driver.ko": unbuilt}
        evidence.tell("acme/driver@1.0", center, run, files, outcome=Outcome.BUILD_FAILED)
    unread = MadeUpFile(
        published=b"a tool", served=None, built=b"a tool", verdict=Verdict.NOT_CHECKED
    )
    evidence.ship("globex/scanner@0.9", {"scanner.bin": b"a tool"})
    evidence.tell(
        "globex/scanner@0.9", "asia", "20261120T010405Z-00000001", {"scanner.bin": unread}
    )


def _private(evidence: Evidence) -> None:
    """A release whose files, names and source nobody outside may learn."""
    evidence.ship("globex/vault@3.1", {"vault.bin": b"a secret file"}, visibility="private")
    for center in NAMES:
        evidence.build("globex/vault@3.1", center, {"vault.bin": b"a secret file"})


def _hostile(evidence: Evidence) -> None:
    """A release of a vendor whose every text would be run, if a page let it."""
    name = "mallory/markup@1.0"
    shipped = {HOSTILE: b"x", f"{HOSTILE}/changed": b"a", "long.txt": b"<" * LINE}
    built = {f"{HOSTILE}/changed": HOSTILE.encode(), f"{HOSTILE}-new": b"", "long.txt": b">" * LINE}
    evidence.ship(name, {"markup.tar": tar(shipped)})
    evidence.build(name, "europe", {"markup.tar": tar(built)})
    for center, run in (
        ("asia", "20261121T010405Z-00000001"),
        ("americas", "20261121T020405Z-00000002"),
    ):
        evidence.tell(name, center, run, {HOSTILE[:200]: MadeUpFile.different(b"one", b"two")})

"""Honest centers, and one that owns its keys, store and log and does with them what it likes.

The model keeps what each center has truly stated, committed and logged. Whatever is done to records
afterwards: a center counts as a match only if its log has a match that was committed to before, and
no mismatch; and an honest center is accused of nothing. `SAMEBITS_STEPS` sets how many steps are
taken in all, 2,000 by default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile, MadeUpKey
from pipelines.evidence.dsse import Envelope, Signature
from pipelines.evidence.errors import EvidenceError
from tests.consensus.world import CONTENT, FILE, FILES, Site, World, reasons

STEPS_EACH = 20
STEPS = int(os.environ.get("SAMEBITS_STEPS", "2000"))
DIFFERENT = {FILE: MadeUpFile.different(CONTENT, b"other bytes")}
UNBUILT: dict[str, Any] = {
    "outcome": Outcome.BUILD_FAILED,
    "files": {
        FILE: MadeUpFile(published=CONTENT, served=None, built=None, verdict=Verdict.NOT_CHECKED)
    },
    "by_products": {},
}
ACCUSED = {
    *("withheld", "misplaced", "uncommitted", "bad-signature", "unreadable"),
    *("log-broken", "log-forked"),
}
NAMES = ["x-1", "comparison-9", "attempt-7", "provenance-7", "robustness-7"]
HONEST = st.sampled_from(["ada-1", "bob-1"])
NUMBER = st.integers(min_value=0, max_value=2**32)


@dataclass
class Truth:
    """What a center has truly stated, logged, and had witnessed."""

    matched: bool = False
    """A match, to which its run had committed before."""
    differed: bool = False
    runs: int = 0
    seen: list[dict[str, str]] = field(default_factory=list)
    """The records of its runs by name, as they were stored."""


class Centers(RuleBasedStateMachine):
    """Ada and Bob are honest, Cyd is not; two operators that match confirm a file."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World("ada", "bob", "cyd")
        self.truth = {center: Truth() for center in self.world.sites}
        self.down: set[str] = set()
        self.steps = 0

    @property
    def cyd(self) -> Site:
        return self.world["cyd-1"]

    def _run(self, center: str, **changes: Any) -> None:
        """Do what a center does honestly, from the commitment to the statements."""
        truth = self.truth[center]
        truth.runs += 1
        # No two centers have a run of one id: what Cyd replays would stand in the way of its own.
        run = f"2026010{1 + truth.runs % 9}T030405Z-{ord(center[0]):02x}{truth.runs:06x}"
        committed = changes.get("committed", True)
        truth.seen.append(self.world[center].run(run=run, **changes))
        files = changes.get("files", FILES)
        truth.matched |= files is FILES and committed
        truth.differed |= files is DIFFERENT

    @rule(center=HONEST)
    def match(self, center: str) -> None:
        self._run(center)

    @rule(center=HONEST)
    def mismatch(self, center: str) -> None:
        self._run(center, files=DIFFERENT)

    @rule(center=HONEST)
    def failure(self, center: str) -> None:
        self._run(center, **UNBUILT)

    @rule(center=HONEST)
    def outage(self, center: str) -> None:
        """Its store does not answer, until it is up again."""
        store = self.world[center].store
        if center in self.down:
            store.heal()
        else:
            store.fail_on("list")
        self.down ^= {center}

    # What Cyd does

    @rule()
    def cyd_matches(self) -> None:
        self._run("cyd-1")

    @rule()
    def cyd_differs(self) -> None:
        self._run("cyd-1", files=DIFFERENT)

    @rule()
    def cyd_matches_after_a_look_at_the_shipped_file(self) -> None:
        self._run("cyd-1", committed=False)

    @rule(number=NUMBER)
    def cyd_commits_and_says_nothing(self, number: int) -> None:
        self.cyd.commit(self.cyd.made(run=f"20260108T030405Z-{number:08x}"))

    def _record(self, number: int) -> str:
        """Return the name of one of Cyd's records."""
        names = sorted(self.cyd.store.objects)
        statements = [name for name in names if name.endswith(".dsse.json")]
        assume(statements)
        return statements[number % len(statements)]

    @rule(number=NUMBER)
    def cyd_removes_a_record(self, number: int) -> None:
        del self.cyd.store.objects[self._record(number)]

    @rule(
        number=NUMBER,
        other=NUMBER,
        copies=st.booleans(),
        name=st.sampled_from(["x-1", "attempt-7", "provenance-7", "robustness-7"]),
    )
    def cyd_moves_a_record(self, number: int, other: int, name: str, *, copies: bool) -> None:
        """Within its own runs, or to a run, a release or a center that is not there."""
        record, objects = self._record(number), self.cyd.store.objects
        folders = sorted({n.rpartition("/")[0] for n in objects if n.endswith(".dsse.json")})
        folders += [f.replace("/1.0/", "/2.0/") for f in folders[:1]]
        folders += [f.replace("/cyd-1/", "/ada-1/") for f in folders[:1]]
        folders += [f"{folders[0].rpartition('/')[0]}/20260109T030405Z-0000000f"]
        data = objects[record] if copies else objects.pop(record)
        objects[f"{folders[other % len(folders)]}/{name}.dsse.json"] = list(data)

    @rule(number=NUMBER, rubbish=st.sampled_from([b"", b"{}", b"\xff"]))
    def cyd_damages_a_record(self, number: int, rubbish: bytes) -> None:
        self.cyd.store.objects[self._record(number)] = [rubbish]

    @rule(number=NUMBER, stranger=st.booleans())
    def cyd_signs_a_record_anew(self, number: int, *, stranger: bool) -> None:
        """With another key under its own name, or with its own key again."""
        name = self._record(number)
        try:
            old = Envelope.from_bytes(self.cyd.store.objects[name][-1])
        except EvidenceError:
            return
        key = MadeUpKey("a stranger") if stranger else self.cyd.key
        signature = Signature(keyid=self.cyd.key.public.keyid, sig=key.sign(old.pae()))
        new = old.model_copy(update={"signatures": (signature,)})
        self.cyd.store.objects[name] = [new.to_bytes()]

    @rule(center=HONEST, number=NUMBER)
    def cyd_replays_what_others_signed(self, center: str, number: int) -> None:
        theirs = sorted(n for n in self.world[center].store.objects if n.endswith(".dsse.json"))
        assume(theirs)
        name = theirs[number % len(theirs)]
        data = self.world[center].store.objects[name]
        self.cyd.store.objects[name.replace(f"/{center}/", "/cyd-1/")] = list(data)
        self.cyd.log.append(Envelope.from_bytes(data[-1]).digest())

    @rule(center=HONEST)
    def cyd_speaks_for_others(self, center: str) -> None:
        """Statements in the name of another center, under Cyd's key, where that center looks."""
        made = self.world[center].made(run="20260107T030405Z-0000000a", files=DIFFERENT)
        for name, envelope in made.envelopes(self.cyd.key).items():
            key = f"{made.folder()}{name}".replace(f"/{center}/", "/cyd-1/")
            self.cyd.store.objects[key] = [envelope.to_bytes()]
            self.cyd.log.append(envelope.digest())

    @rule()
    def cyd_goes_back_to_an_older_store(self) -> None:
        """Only its first run is there again; the log and its witnesses do not forget."""
        kept = self.truth["cyd-1"].seen[:1]
        names = {name for records in kept for name in records.values()}
        objects = self.cyd.store.objects
        for name in [n for n in objects if n.endswith(".dsse.json") and n not in names]:
            del objects[name]

    # What must hold

    @invariant()
    def now_and_then(self) -> None:
        self.steps += 1
        if self.steps % 7 == 0:
            self.only_what_was_truly_stated_counts()

    def teardown(self) -> None:
        self.only_what_was_truly_stated_counts()

    def only_what_was_truly_stated_counts(self) -> None:
        found = self.world.consensus(None)
        for one in found.artefacts:
            for operator in one.matched:
                truth = self.truth[f"{operator}-1"]
                assert truth.matched, f"{operator} never matched"
                assert not truth.differed, f"{operator} has logged a mismatch"
            if one.result == "CONFIRMED":
                assert len(one.matched) >= 2
        accused = {why for center, why in reasons(found) if center != "cyd-1"}
        assert not accused & ACCUSED
        if not self.down:  # whoever is honest and reachable is heard, whatever Cyd does
            heard = {o.operator for one in found.artefacts for o in one.operators}
            assert {c[:3] for c, t in self.truth.items() if t.runs and c != "cyd-1"} <= heard


TestCenters = Centers.TestCase
TestCenters.settings = settings(
    max_examples=max(STEPS // STEPS_EACH, 1),
    stateful_step_count=STEPS_EACH,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

"""Honest centers, and one that owns its keys, store and log and does with them what it likes.

The model keeps what each center has truly stated, committed and logged. Whatever is done to records
afterwards: a center counts as a match only if its log has a match that was committed to before, and
no mismatch; no result that its log has is missing from its store unnoticed; and an honest center is
accused of nothing. `SAMEBITS_STEPS` sets how many steps are taken in all, 2,000 by default.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, reject, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from infra.bench.madeup import MadeUpFile, MadeUpKey, MadeUpRun
from pipelines.alarms.cause import ABOUT_CENTERS
from pipelines.alarms.raised import release_alarms
from pipelines.audit import statement_reader
from pipelines.audit.center_audit import audit_center
from pipelines.audit.source import Source
from pipelines.consensus.release_consensus import JoinedRelease, consensus_of
from pipelines.evidence.dsse import Envelope, Signature
from pipelines.evidence.errors import EvidenceError
from pipelines.evidence.statements.reader import read_statement
from pipelines.policy import ConsensusRules
from tests.audit.truth import ABSENT, ACCUSED, Saying, Truth
from tests.consensus.world import CONTENT, FILE, FILES, RELEASE, Site, World, reasons

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
HONEST = st.sampled_from(["ada-1", "bob-1"])
ALL = 1 << 40
FOLDER = "public/releases/acme/tool/1.0/cyd-1/"
NUMBER = st.integers(min_value=0, max_value=2**32)


class Centers(RuleBasedStateMachine):
    """Ada and Bob are honest, Cyd is not; three operators that match confirm a file.

    Dan joins: it has built too, without which nobody's work would be proved, and no match count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World("ada", "bob", "cyd", "dan")
        self.world.rules = ConsensusRules(k=3)
        self.truth = {center: Truth() for center in self.world.sites}
        self.down: set[str] = set()
        self.made = 0
        self.missed: dict[str, set[int]] = {}
        """What a witness did not find when it looked last."""
        self.steps = 0
        self.world.min_evidence = 2
        self._run("dan-1", Saying.MATCH)

    @property
    def cyd(self) -> Site:
        return self.world["cyd-1"]

    def _run(self, center: str, saying: Saying, **changes: Any) -> None:
        """Do what a center does honestly, from the commitment to the statements."""
        made = self._made(center, **changes)
        self.truth[center].seen.append(self.world[center].publish(made))
        self._say(center, saying)

    def _say(self, center: str, saying: Saying) -> None:
        """Note what a center has said; under a key that has ended it says nothing."""
        site = self.world[center]
        if site.end is None:
            self.truth[center].said.append((saying, len(site.log)))

    def _made(self, center: str, **changes: Any) -> MadeUpRun:
        """Return a run with an id of its own."""
        self.made += 1
        # No two centers have a run of one id: what Cyd replays would stand in the way of its own.
        run = f"2026010{1 + self.made % 9}T030405Z-{ord(center[0]):02x}{self.made:06x}"
        return self.world[center].made(run=run, **changes)

    def _complete(self, center: str) -> None:
        """State what the runs found that were cut off after their commitment."""
        truth = self.truth[center]
        for made in truth.crashed:
            truth.seen.append(self.world[center].publish(made, committed=False))
            self._say(center, Saying.MATCH)
        truth.crashed = []

    @rule(center=HONEST)
    def match(self, center: str) -> None:
        self._run(center, Saying.MATCH)

    @rule(center=HONEST)
    def mismatch(self, center: str) -> None:
        self._run(center, Saying.MISMATCH, files=DIFFERENT)

    @rule(center=HONEST)
    def failure(self, center: str) -> None:
        self._run(center, Saying.NOTHING, **UNBUILT)

    @rule(center=HONEST)
    def crash(self, center: str) -> None:
        """It commits, and is cut off."""
        made = self._made(center)
        self.world[center].commit(made)
        self.truth[center].crashed.append(made)

    @rule(center=HONEST)
    def disk_is_lost(self, center: str) -> None:
        """It publishes the seals of what it cannot complete; Dan has the file, and compares."""
        for made in self.truth[center].crashed:
            self.world[center].lose(made)
        self.truth[center].crashed = []

    @rule(center=HONEST)
    def restart(self, center: str) -> None:
        self._complete(center)

    @rule()
    def a_day_passes(self) -> None:
        """For the witnesses; within a day an honest center is back, and completes its runs."""
        for center, truth in self.truth.items():
            site = self.world[center]
            if center != "cyd-1":
                self._complete(center)
            elif truth.crashed:
                self._say(center, Saying.EVASION)
            site.witnessed, site.overdue = ALL, len(site.log)
            absent = self._absent(center)
            site.reported = absent & self.missed.get(center, set())
            self.missed[center] = absent

    def _absent(self, center: str) -> set[int]:
        """Return the leaves whose statements a witness does not find now; none in an outage."""
        source = Source(center=center, store=self.world[center].store)
        excluded = audit_center(self.world.reader, source, RELEASE).excluded
        return {i for e in excluded if e.reason in ABSENT for i in e.indexes}

    @rule(center=st.sampled_from(["ada-1", "bob-1", "cyd-1"]))
    def slow_witnesses(self, center: str) -> None:
        """They see nothing of what comes next, until they are back."""
        self.world[center].witnessed = len(self.world[center].log)

    @rule(center=st.sampled_from(["ada-1", "bob-1", "cyd-1"]))
    def witnesses_are_back(self, center: str) -> None:
        self.world[center].witnessed = ALL

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

    def _committed(self, **changes: Any) -> MadeUpRun:
        """Return a run that Cyd has committed to."""
        made = self._made("cyd-1", **changes)
        self.cyd.commit(made)
        return made

    @rule()
    def cyd_matches(self) -> None:
        self._run("cyd-1", Saying.MATCH)

    @rule()
    def cyd_differs(self) -> None:
        self._run("cyd-1", Saying.MISMATCH, files=DIFFERENT)

    @rule()
    def cyd_matches_after_a_look_at_the_shipped_file(self) -> None:
        made = self._made("cyd-1")
        self.truth["cyd-1"].seen.append(self.cyd.publish(made, committed=False))

    @rule()
    def cyd_matches_in_an_old_format(self) -> None:
        """It names no scope, and the policy wants one."""
        self._run("cyd-1", Saying.NOTHING, scope=None)

    @rule()
    def cyd_leaves_an_artefact_out(self) -> None:
        """Its attempt names two, and it never says that its source builds one of them alone."""
        gone = MadeUpFile(published=b"i", served=b"i", built=None, verdict=Verdict.MISSING)
        other = {"tool.idx": gone}
        made = self._committed(files={**FILES, **other})
        for name, envelope in made.envelopes(self.cyd.key).items():
            if name != "comparison-2.dsse.json":
                self.cyd.put(made.folder() + name, envelope)

    @rule()
    def cyd_states_a_match_in_pieces(self) -> None:
        """Something else is logged between them, so that it could stop wherever it likes."""
        made = self._committed()
        for name, envelope in made.envelopes(self.cyd.key).items():
            self.cyd.log += [Digest.of(b"a heartbeat"), Digest.of(b"and another")]
            self.cyd.put(made.folder() + name, envelope)
        self.truth["cyd-1"].crashed.append(made)

    @rule()
    def cyd_lets_a_stranger_sign(self) -> None:
        """Under the id of its key, so that it could deny the match later."""
        made, key = self._committed(), MadeUpKey("a stranger")
        for name, envelope in made.envelopes(key).items():
            self.cyd.put(made.folder() + name, self._signed(envelope, key))

    def _signed(self, envelope: Envelope, key: MadeUpKey) -> Envelope:
        """Return an envelope signed by a key under the id of Cyd's."""
        signature = Signature(keyid=self.cyd.key.public.keyid, sig=key.sign(envelope.pae()))
        return envelope.model_copy(update={"signatures": (signature,)})

    @rule()
    def cyd_never_logs_what_it_states(self) -> None:
        made = self._committed()
        self.cyd.publish(made, logged=False)

    @rule()
    def cyd_logs_a_match_as_something_else(self) -> None:
        """Its leaves are of no run, so that nobody would miss the records later."""
        made = self._committed()
        for name, envelope in made.envelopes(self.cyd.key).items():
            self.cyd.store.put_record(made.folder() + name, envelope.to_bytes())
            self.cyd.log.append(envelope.digest())

    @rule()
    def cyd_loses_its_key(self) -> None:
        """Whoever has it goes on; the policy says where it ended."""
        if self.cyd.end is None:
            self.cyd.end = len(self.cyd.log)

    @rule(files=st.sampled_from([FILES, DIFFERENT]))
    def cyd_says_that_its_disk_is_lost(self, files: dict[str, MadeUpFile]) -> None:
        made = self._committed(files=files)
        self.cyd.lose(made)
        if files is DIFFERENT:
            self.truth["cyd-1"].crashed.append(made)

    @rule()
    def cyd_commits_and_says_nothing(self) -> None:
        made = self._committed()
        self.truth["cyd-1"].crashed.append(made)

    @rule()
    def cyd_commits_and_says_that_it_could_not_build(self) -> None:
        truth, made = self.truth["cyd-1"], self._committed()
        truth.seen.append(self.cyd.publish(replace(made, **UNBUILT)))
        self._say("cyd-1", Saying.EVASION)

    def _record(self, number: int) -> str:
        """Return the name of one of Cyd's records."""
        names = sorted(self.cyd.store.objects)
        statements = [name for name in names if name.endswith(".dsse.json")]
        if not statements:
            reject()
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
        self.cyd.store.objects[name] = [self._signed(old, key).to_bytes()]

    @rule(center=HONEST, number=NUMBER)
    def cyd_replays_what_others_signed(self, center: str, number: int) -> None:
        theirs = sorted(n for n in self.world[center].store.objects if n.endswith(".dsse.json"))
        if not theirs:
            reject()
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
        self.no_logged_result_is_missing_unnoticed()

    def only_what_was_truly_stated_counts(self) -> None:
        read, sites = self.world.read("dan-1"), self.world.sites
        found = consensus_of(read, self.world.rules, own="dan-1")
        said = {c: truth.witnessed(sites[c].witnessed) for c, truth in self.truth.items()}
        for one in found.artefacts:
            for operator in one.matched:
                truth = said[f"{operator}-1"]
                assert Saying.MATCH in truth, f"{operator} never matched"
                assert Saying.MISMATCH not in truth, f"{operator} has logged a mismatch"
                assert Saying.EVASION not in truth, f"{operator} keeps from us what it found"
            if one.result == "CONFIRMED":
                assert len(one.matched) >= 3
        if self.cyd.reported & self._absent("cyd-1"):
            assert ("cyd-1", "withheld") in reasons(found)
        accused = {why for center, why in reasons(found) if center != "cyd-1"}
        assert not accused & ACCUSED
        joined = JoinedRelease(read=read, consensus=found, recipe=None)
        for alarm in release_alarms(joined, self.world.rules):
            assert alarm.leaves
            assert alarm.cause not in ABOUT_CENTERS or alarm.center == "cyd-1"
        if not self.down:  # whoever is honest and reachable is heard, whatever Cyd does
            heard = {o.operator for one in found.artefacts for o in one.operators}
            assert {c[:3] for c, told in said.items() if told and c != "cyd-1"} <= heard

    def no_logged_result_is_missing_unnoticed(self) -> None:
        """Results of runs that Cyd's log has are in their place in its store, or it is said."""
        shown = set()
        for name, versions in self.cyd.store.objects.items():
            with suppress(EvidenceError):
                envelope = Envelope.from_bytes(versions[-1])
                about = read_statement(envelope.payload).run_reference
                if about and name.startswith(f"{FOLDER}{about.run}/"):
                    shown.add(envelope.digest())
        if not self.cyd.about.results.keys() <= shown:
            told = reasons(self.world.consensus("dan-1"))
            assert told & {("cyd-1", "withheld"), ("cyd-1", "missing")}


@pytest.fixture
def statements_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same few hundred statements are read again after each step."""
    monkeypatch.setattr(statement_reader, "read_statement", lru_cache(10_000)(read_statement))


TestCenters = pytest.mark.usefixtures("statements_read_once")(Centers.TestCase)
TestCenters.settings = settings(
    max_examples=max(STEPS // STEPS_EACH, 1),
    stateful_step_count=STEPS_EACH,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

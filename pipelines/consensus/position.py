"""What one operator says of one artefact: a value made of verified statements, and nothing else.

Reading ends here. Joining (`join`) sees no statement, store, key or clock, only these values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from builders.core.digest import Digest
from builders.core.enums import Outcome, Verdict
from pipelines.evidence.publickey import PublicKey
from pipelines.evidence.statements.crosscheck import Proof
from pipelines.evidence.statements.statement import DigestSet, Statement
from pipelines.judge.finding import CauseName


class Why(StrEnum):
    """Why something was counted out."""

    UNREADABLE = "unreadable"
    UNKNOWN_CENTER = "unknown-center"
    UNKNOWN_KEY = "unknown-key"
    KEY_NOT_VALID = "key-not-valid"
    BAD_SIGNATURE = "bad-signature"
    NOT_LOGGED = "not-logged"
    WITHHELD = "withheld"
    """Its log has statements about the release that its store does not show."""
    MISPLACED = "misplaced"
    OTHER_BUILDER = "other-builder"
    INCOMPLETE = "incomplete"
    UNDECLARED = "undeclared-output"
    NO_CLAIM = "no-claim"
    SILENT = "silent"
    LOG_BROKEN = "log-broken"
    NOTHING = "nothing-of-this-release"
    OTHER_CLAIM = "other-claim"
    OTHER_PUBLISHED = "other-published"
    SHARED_KEY = "shared-key"
    WORK_ABSENT = "work-absent"
    WORK_WRONG = "work-wrong"
    SERVED_OTHER = "served-another-file"
    EQUIVALENT = "equivalent"


@dataclass(frozen=True, kw_only=True)
class CountedOut:
    """Something that does not count, by name: whose it is, which it is, and why."""

    center: str
    why: Why
    what: str = ""
    """The name of the record, or the digest of the statement."""
    note: str = ""
    pae: Digest | None = field(default=None, compare=False)
    """What is signed, of a statement that a key of the center has signed."""

    def __str__(self) -> str:
        """Return it in one line."""
        return ", ".join(filter(None, (f"{self.center}: {self.why}", self.note, self.what)))

    def to_dict(self) -> dict[str, str]:
        """Return it for `--json`."""
        return {"center": self.center, "why": self.why, "what": self.what, "note": self.note}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose a statement is, as the policy has it: center, operator, region."""

    center: str
    operator: str
    region: str


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A statement whose signature and place in its center's log are verified."""

    statement: Statement
    digest: Digest
    """Of the payload, by which other statements name it."""
    pae: Digest
    """Of what is signed, by which the log names it."""
    name: str
    """Of its record in the store."""
    place: Place
    key: PublicKey
    index: int
    """Of its leaf in the log of its center."""

    @property
    def basis(self) -> Basis:
        """How others name it."""
        return Basis(name=self.name, digest=self.digest)


@dataclass(frozen=True, kw_only=True, order=True)
class Basis:
    """A statement that something rests on: its record, and the digest of its payload."""

    name: str
    digest: Digest


@dataclass(frozen=True, kw_only=True)
class Position:
    """What one run of one center of an operator says of one artefact."""

    place: Place
    key: str
    """The key that signed, whatever it is called (`PublicKey.material`)."""
    artefact: str
    published: Digest
    claim: DigestSet
    run: str
    outcome: Outcome
    verdict: Verdict
    served: Digest | None = None
    """What this region was served as the shipped file."""
    rebuilt: DigestSet | None = None
    """Keyed where the source is closed and the bytes are not the shipped ones."""
    grafted: Digest | None = None
    """Of our bytes with the vendor's signature on them."""
    normalizers: frozenset[str] = frozenset()
    causes: frozenset[CauseName] = frozenset()
    comparison: Basis
    """Statement B."""
    attempt: Basis
    """Statement E that has the outcome of the run."""
    time: datetime
    """As its own clock had it: shown, never compared."""
    index: int
    seal: Digest | None = None
    """What the run committed to before it looked at a shipped file."""
    work: Proof = Proof.ABSENT
    """Whether it is shown that the center did the work, and not only hashed the public file."""
    proved_by: tuple[Basis, ...] = ()
    """The statements that say so."""

    @property
    def rests_on(self) -> tuple[Basis, ...]:
        """The statements behind it."""
        return (self.comparison, self.attempt, *self.proved_by)

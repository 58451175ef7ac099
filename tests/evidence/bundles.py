"""Bundles of made-up runs, to be altered: whatever is changed is signed again by the same key."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders.digest import canonical_json
from pipelines.center import Center
from pipelines.evidence.bundle import Bundle
from pipelines.evidence.bundle.layout import (
    CARD,
    EVIDENCE,
    KEYS,
    REPORT,
    STATEMENTS,
    STATEMENTS_KEY,
    sums_of,
)
from pipelines.evidence.check import CheckResult, GivenFile, Trust, check_bundle
from pipelines.evidence.dsse import Envelope, EnvelopeSigner, sign
from pipelines.evidence.signed import named
from pipelines.evidence.signing import PrivateKey
from pipelines.exporting import card_of
from tests.signer.conftest import SCENES
from tests.signer.scene import Scene

Document = dict[str, Any]
Change = Callable[[Document], object]
Maker = Callable[[str], "Altered"]
"""From the name of a scene to its bundle."""


@dataclass(kw_only=True)
class Altered:
    """The members of a bundle, and the key that signs them."""

    key: PrivateKey
    members: dict[str, bytes]
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    """Other keys by name."""

    def statement(self, name: str, change: Change, *, relink: bool = True) -> None:
        """Change a statement and sign it again; comparisons then name the changed provenance."""
        member = f"{STATEMENTS}{name}.dsse.json"
        document = json.loads(Envelope.from_bytes(self.members[member]).payload)
        before = self._digest(member)
        change(document)
        self.put(member, document)
        if relink and name.startswith("provenance"):
            after = self._digest(member)
            for other in self.named("comparison"):
                self._replace(other, before, after)

    def every(self, kind: str, change: Change) -> None:
        """Change every statement of a kind."""
        for member in self.named(kind):
            name = member.removeprefix(STATEMENTS).removesuffix(".dsse.json")
            self.statement(name, change)

    def report(self, change: Change) -> None:
        """Change the report."""
        document = json.loads(self.members[REPORT])
        change(document)
        self.members[REPORT] = json.dumps(document).encode()

    def card(self, change: Change) -> None:
        """Change the card."""
        document = json.loads(self.members[CARD])
        change(document)
        self.members[CARD] = canonical_json(document)

    def put(self, member: str, document: Document, *signers: EnvelopeSigner) -> None:
        """Sign a document as a member."""
        envelope = sign(canonical_json(document), *(signers or (self.key,)))
        self.members[member] = envelope.to_bytes()

    def named(self, kind: str) -> list[str]:
        """Return the members that are statements of a kind."""
        return [name for name in self.members if name.startswith(f"{STATEMENTS}{kind}-")]

    def to_bytes(self) -> bytes:
        """Return the bundle, with the right digests, whatever its members are."""
        return Bundle(members=self.members, sums=sums_of(self.members)).to_bytes()

    def check(self, *files: GivenFile, trusted: bool = True) -> CheckResult:
        """Check the bundle as one who trusts its key."""
        trust = Trust(keys=(self.key.public,) if trusted else ())
        return check_bundle(self.to_bytes(), trust=trust, files=files)

    def _digest(self, member: str) -> str:
        from builders.digest import Digest

        return str(Digest.of(Envelope.from_bytes(self.members[member]).payload))

    def _replace(self, member: str, before: str, after: str) -> None:
        payload = Envelope.from_bytes(self.members[member]).payload
        self.put(member, json.loads(payload.replace(before.encode(), after.encode())))


def made(folder: Path, key: PrivateKey, *, scene: str = "identical") -> Altered:
    """Return the bundle of a scene, with the build log as public evidence."""
    stage = Scene(folder=folder, **SCENES[scene])
    evidence = stage.make()
    envelopes = named(stage.signer(key).sign(evidence))
    center: Center = stage.center
    members = {
        CARD: card_of(center, {"statements": key.public}).to_bytes(),
        STATEMENTS_KEY: key.public.to_pem(),
        REPORT: evidence.report.to_json(),
        **{f"{STATEMENTS}{name}": e.to_bytes() for name, e in envelopes.items()},
    }
    for attempt in evidence.report.attempts:
        log = attempt.rebuild.log
        if log:
            members[f"{EVIDENCE}{log}"] = stage.store.get(
                f"private/cas/sha256/{str(log)[:2]}/{log}", 1 << 20
            )
    return Altered(key=key, members=members)


__all__ = [
    "CARD",
    "EVIDENCE",
    "KEYS",
    "REPORT",
    "STATEMENTS",
    "STATEMENTS_KEY",
    "Altered",
    "Maker",
    "made",
]

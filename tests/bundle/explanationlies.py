"""Lies in the statement that explains a run, signed with the center's own key."""

from __future__ import annotations

from builders.core.digest import Digest
from pipelines.evidence.dsse import Envelope
from pipelines.evidence.privatekey import PrivateKey
from tests.bundle.bundles import Altered
from tests.bundle.tells import OTHER, Lie, in_one, member_of
from tests.signer.scene import OURS

EXPLANATION = "explanation-1"
_FIRST = "predicate/artefacts/0"
_OURS = str(Digest.of(OURS))


def _match_explained(altered: Altered, other: PrivateKey) -> None:
    """Name causes for an artefact that has no difference."""
    payload = Envelope.from_bytes(altered.members[member_of("comparison-2")]).payload
    about = {
        "name": "rules.idx",
        "comparison": {"sha256": str(Digest.of(payload))},
        "causes": ["content"],
        "explanation": {"status": "none"},
    }
    subject = {"name": "rules.idx", "digest": {"sha256": str(Digest.of(b"index"))}}
    altered.statement(
        EXPLANATION,
        lambda d: (d.update(subject=[subject]), d["predicate"].update(artefacts=[about])),
    )


EXPLANATION_LIES: dict[str, Lie] = {
    "explained-by-another-builder": Lie(
        "builder",
        in_one(EXPLANATION, "predicate/builder", "https://samebits.example/b"),
        "confirmed",
    ),
    "explanation-of-another-run": Lie(
        "run", in_one(EXPLANATION, "predicate/run", "20260102T030405Z-ffffffff"), "confirmed"
    ),
    "explanation-of-another-claim": Lie(
        "claim", in_one(EXPLANATION, "predicate/claim/sha256", OTHER), "confirmed"
    ),
    "explanation-of-another-comparison": Lie(
        "explained", in_one(EXPLANATION, f"{_FIRST}/comparison/sha256", OTHER), "confirmed"
    ),
    "explanation-of-other-bytes": Lie(
        "explained", in_one(EXPLANATION, "subject/0/digest/sha256", OTHER), "confirmed"
    ),
    "explained-before-the-run-ended": Lie(
        "explained",
        in_one(EXPLANATION, "predicate/explainedOn", "2026-01-02T02:00:00Z"),
        "confirmed",
    ),
    "confirmed-by-other-bytes": Lie(
        "explained", in_one(EXPLANATION, f"{_FIRST}/rebuilt/sha256", OTHER), "confirmed"
    ),
    "confirmed-by-the-shipped-bytes": Lie(
        "explained",
        in_one(EXPLANATION, f"{_FIRST}/rebuilt/sha256", str(Digest.of(OURS))),
        "confirmed",
    ),
    "match-with-causes": Lie("explained", _match_explained, "different"),
    "nondeterministic-without-a-rebuild": Lie(
        "schema", in_one(EXPLANATION, f"{_FIRST}/causes", ["nondeterministic"]), "different"
    ),
    "confirmed-without-a-rebuild": Lie(
        "schema", in_one(EXPLANATION, "predicate/confirming", None), "confirmed"
    ),
    "explanation-without-its-artefact": Lie(
        "schema", in_one(EXPLANATION, "subject/0/name", "z"), "confirmed"
    ),
}

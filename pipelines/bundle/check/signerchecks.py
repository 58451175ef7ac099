"""Checks of who signed: a signature counts under a key that the reader brought, or not at all."""

from __future__ import annotations

from pipelines.bundle.card import STATEMENTS
from pipelines.bundle.check.dossier import Dossier
from pipelines.bundle.check.result import UncheckedError, WrongError
from pipelines.evidence.dsse import verify
from pipelines.evidence.statements import (
    AttemptStatement,
    ComparisonStatement,
    ProvenanceStatement,
    RobustnessStatement,
)


def check_signatures(dossier: Dossier) -> str:
    """Require a good signature on every envelope; without a trusted key none can be trusted."""
    trusted = dossier.trusted
    signers = {}
    for envelope in dossier.envelopes.values():
        for key in verify(envelope, trusted or [dossier.keys[STATEMENTS]]):
            signers[key.keyid] = key
    named = ", ".join(sorted(keyid[:16] for keyid in signers))
    if not trusted:
        raise UncheckedError(
            "signed by the key in the bundle, which nothing vouches for",
            got=f"key {named}",
            expected="a policy or a key that you trust",
            todo="Get --policy or --key from the centers, not from the bundle",
        )
    return f"{len(dossier.envelopes)} envelopes signed by the trusted key {named}"


def check_key_use(dossier: Dossier) -> str:
    """Require the key that the center's card has for statements, by its id, and no other.

    A key id is not signed, and a second signature would be one that nobody has looked at.
    """
    key = dossier.keys[STATEMENTS]
    trusted = {known.material for known in dossier.trusted}
    for name, envelope in dossier.envelopes.items():
        ids = [signature.keyid for signature in envelope.signatures]
        if ids != [key.keyid] or not key.verifies(envelope.signatures[0].sig, envelope.pae()):
            raise WrongError(
                f"{name} is not signed by the center's key for statements alone",
                got=", ".join(f"{keyid!a:.66}" for keyid in ids[:4]),
                expected=key.keyid,
            )
    whose = "trusted and the center's" if key.material in trusted else "the center's own"
    return f"the key for statements on the card is {whose}"


def check_builder(dossier: Dossier) -> str:
    """Require one builder in all statements: the one on the card, whose key the reader trusts."""
    expected = dossier.card.builder_id
    for name, statement in dossier.statements.items():
        match statement:
            case ProvenanceStatement():
                builder = statement.predicate.run_details.builder.id
            case ComparisonStatement() | AttemptStatement() | RobustnessStatement():
                builder = statement.predicate.builder
            case _:
                continue  # of no kind that a run has: `kinds` says so
        if builder != expected:
            raise WrongError(f"{name} is of another builder", got=builder, expected=expected)
    trust = dossier.trust
    if dossier.policy is not None:
        return f"all of builder {expected}, as the policy names it"
    if trust.builder not in {None, expected}:
        raise WrongError(
            "the key is trusted for another builder", got=expected, expected=trust.builder
        )
    if trust.builder is None and len({key.material for key in trust.keys}) > 1:
        raise UncheckedError(
            "several keys are trusted, and it is not said for which builder",
            got=f"{len(trust.keys)} keys",
            todo="Name the builder with --builder",
        )
    return f"all of builder {expected}"

"""Checks of the log: every statement of the run is in it, in order, and none is left out.

Rules: C2SP tlog-proof and tlog-checkpoint for the proofs; the chain of leaves, and the commitment
before the shipped files are opened, are ours.
"""

from __future__ import annotations

from builders.core.enums import Outcome
from pipelines.audit.statement_reader import VerifiedStatement
from pipelines.bundle.check.opened import OpenedBundle
from pipelines.bundle.check.result import (
    UncheckedError,
    WrongError,
    require,
    require_equal,
)
from pipelines.bundle.layout import LEAF, LOG, OTHER, PROOF, STATEMENTS
from pipelines.log.checkpoint import LogIdentity
from pipelines.log.leaf import ReleaseChains, StatementLeaf

_OMITTED = "It was left out: ask the center for it, and why"


def check_leaves(opened: OpenedBundle) -> str:
    """Require leaves with their proofs, all under one checkpoint."""
    names = [name for name in opened.bundle.members if name.startswith(LOG)]
    require(
        bool(names),
        "the bundle has nothing of the center's log",
        "no leaves",
        "a leaf and a proof for every statement",
        "Export it again: without the log nothing says that nothing was left out",
    )
    for name in names:
        stem = name.partition(".")[0]
        for twin in (f"{stem}{LEAF}", f"{stem}{PROOF}"):
            require(twin in names, f"{name} stands alone", f"no {twin}", "both")
    leaves = opened.leaves
    for index, logged in leaves.items():
        name, extra = f"{LOG}{index}{PROOF}", logged.proof.extra or b""
        require_equal(f"{name} is of another leaf", logged.proof.index, index)
        require_equal(f"{name} has data that is not signed", f"{len(extra)} bytes", "0 bytes")
    notes = {logged.proof.checkpoint for logged in leaves.values()}
    require_equal("the proofs are under several checkpoints", len(notes), 1)
    return f"{len(leaves)} leaves, {min(leaves)} to {max(leaves)}"


def check_inclusion(opened: OpenedBundle) -> str:
    """Require that every leaf is in the tree of a checkpoint that the log's key has signed."""
    leaves, key = opened.leaves, opened.log_key
    log = LogIdentity.of(key)
    for logged in leaves.values():
        logged.proof.verify(logged.fields.hash, log)
    checkpoint = opened.checkpoint.checkpoint
    shown = f"in the log {checkpoint.origin} of {checkpoint.size} leaves"
    if opened.policy is None:
        raise UncheckedError(
            f"{shown}, signed by a key that is not trusted",
            got=str(key),
            expected="a policy that names the log's key",
            todo="Give the policy of the centers with --policy",
        )
    return shown


def check_logged(opened: OpenedBundle) -> str:
    """Require a leaf for each statement, and for each leaf a statement of this run or another."""
    shown = {envelope.digest(): name for name, envelope in opened.envelopes.items()}
    seen = set()
    for index, logged in opened.leaves.items():
        leaf = logged.leaf
        if not isinstance(leaf, StatementLeaf):
            continue
        name = shown.get(leaf.pae)
        if name is None:
            raise WrongError(
                "the log has a statement that the bundle has not",
                got=f"leaf {index}: {leaf.predicate_type}",
                expected="every statement of the run, whatever it says",
                todo=_OMITTED,
            )
        require(name not in seen, f"{name} is in the log twice", f"again at {index}", "one leaf")
        _check_leaf(opened, name, index, leaf)
        seen.add(name)
    own = 0
    for name in shown.values():
        logged_ones = f"{len(seen)} of {len(shown)} statements with leaves"
        require(name in seen, f"{name} is not in the log", logged_ones, "all of them")
        own += name.startswith(STATEMENTS)
    return f"{own} statements, each with its leaf"


def _check_leaf(opened: OpenedBundle, name: str, index: int, leaf: StatementLeaf) -> None:
    """Require what a leaf says of its statement, and of another run's the name of its leaf."""
    record, keyids = opened.records[name], [s.keyid for s in opened.envelopes[name].signatures]
    require(leaf.keyid in keyids, f"leaf {index} names another key than {name}", leaf.keyid)
    if isinstance(record, VerifiedStatement):
        named = record.statement.predicate_type
    else:  # of an unknown type, or refused by a later check
        named = opened.unknown.get(name, leaf.predicate_type)
    require_equal(f"leaf {index} names another type than {name}", leaf.predicate_type, named)
    if name.startswith(LOG):
        require_equal(f"{name} is of another leaf", name, f"{LOG}{index}{OTHER}")


def check_chain(opened: OpenedBundle) -> str:
    """Require leaves of one release and center without a gap, each naming the one before."""
    leaves = [(index, logged.fields) for index, logged in opened.leaves.items()]
    first, last = leaves[0][1], leaves[-1][1]
    chains = ReleaseChains(lambda _: (first.sequence, first.previous or ""))
    for index, leaf in leaves:
        about = f"{leaf.release} of {opened.leaves[index].leaf.center}"
        expected = f"{first.release} of {opened.center}"
        require_equal(f"leaf {index} is about something else", about, expected)
        broken = chains.follow(leaf)
        skipped = broken is not None and broken.what == "sequence"
        require(not skipped, f"a leaf is missing before {index}", broken, todo=_OMITTED)
        require(broken is None, f"leaf {index} names another one before it", broken)
    return f"sequence {first.sequence} to {last.sequence} of the release"


def check_commitment(opened: OpenedBundle) -> str:
    """Require that claim and seal were logged before anything that was found with them."""
    found = opened.run_findings
    if not opened.built:
        require(
            not found.commitments
            or any(a.predicate.outcome is Outcome.BUILT for a in opened.attempts),
            "a commitment to a build that never was",
        )
        return "nothing was found, whatever was built or committed to"
    require(
        found.uncommitted is None,
        "the run did not commit to claim and seal before the shipped files were opened",
        found.uncommitted,
    )
    return f"committed at {found.commitments[0].index}, before the shipped files were opened"

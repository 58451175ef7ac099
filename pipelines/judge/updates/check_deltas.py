"""Deltas of an update: each is applied to its base in the jail, and what that gives is our target.

Our target is the rebuilt file, or that file with the vendor's signature if the recipe pins one. The
trusted side hashes what a delta gave: the jail only writes it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import BinaryIO

from builders.core.digest import Digest, digest_stream
from builders.core.enums import Outcome
from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.jail.file_reader import Jail, Nothing, Reader
from builders.recipe.update import DeclaredDelta
from pipelines.judge.compare import Facts, Unread
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import Opener
from pipelines.judge.signatures.signature_format import Graft
from pipelines.judge.updates.appliers import APPLY, FORMATS, MEMBERS, ApplyRequest
from pipelines.judge.updates.checked_delta import CheckedBase, CheckedDelta, MadeFile
from pipelines.judge.updates.update_fault import MAX_DETAIL, UpdateFault, UpdateRefused

BaseOpener = Callable[[Digest], AbstractContextManager[BinaryIO]]
"""Opens an input of role base by its digest; its bytes are those, and it is seekable."""
_MEMBERS = 64
"""How many times the bytes of a packed target its members may have."""
_MOST_MEMBERS = 1 << 30
_UNBOUNDED = frozenset({JailEnd.TIMED_OUT, JailEnd.OUT_OF_MEMORY, JailEnd.FLOODED})


def with_deltas(
    facts: Facts,
    declared: Mapping[str, DeclaredDelta],
    bases: Mapping[Digest, CheckedBase],
    jail: Jail,
    *,
    shipped: Opener,
    rebuilt: Opener,
    base: BaseOpener,
) -> Facts:
    """Return the facts with what was found of each delta in `declared`, by name.

    It comes after the grafts. Nothing is applied of a delta that was not served, or is not the
    published one. Raises what the openers raise.
    """
    if facts.outcome is not Outcome.BUILT or facts.input_fault:
        return facts
    published = {artefact.name: artefact.published for artefact in facts.declared}
    found: dict[str, CheckedDelta | Unread] = {}
    for name, delta in declared.items():
        served = facts.served.get(name)
        if not isinstance(served, FileFact) or served.sha256 != published[name]:
            continue
        known = FORMATS.get(delta.format)
        members = known is not None and known.members is not None
        with ExitStack() as held:
            start, file = (
                held.enter_context(base(delta.base)),
                held.enter_context(shipped(name, served.sha256)),
            )
            target = _our_target(delta.target, facts, held, shipped, rebuilt)
            try:
                results = _applied(delta, jail, start, file, target, members=members)
            except JailUnavailableError as error:
                found[name] = Unread(reason=str(error))
                continue
        applied, expected, refused = results
        found[name] = CheckedDelta(
            **delta.only("format", "judged", "target"),
            published=published[delta.target],
            base=bases[delta.base],
            members=members,
            applied=applied,
            expected=expected,
            refused=refused or bases[delta.base].refused(),
        )
    return replace(facts, deltas=found)


def _our_target(
    name: str, facts: Facts, held: ExitStack, shipped: Opener, rebuilt: Opener
) -> BinaryIO | None:
    """Open our file: with the vendor's signature, that is the shipped one."""
    served, graft = facts.served.get(name), facts.grafts.get(name)
    if isinstance(graft, Graft) and isinstance(served, FileFact) and graft.sha256 == served.sha256:
        return held.enter_context(shipped(name, served.sha256))
    ours = {output.name: output.sha256 for output in facts.rebuilt}.get(name)
    return held.enter_context(rebuilt(name, ours)) if ours else None


def _applied(
    delta: DeclaredDelta,
    jail: Jail,
    base: BinaryIO,
    file: BinaryIO,
    target: BinaryIO | None,
    *,
    members: bool,
) -> tuple[MadeFile | None, MadeFile | None, UpdateRefused | None]:
    """Return what the base with the delta is, what our target is, and what is wrong with that."""
    if target is None:
        what = f"nothing was rebuilt that could be {delta.target}"
        return None, None, _refused(UpdateFault.TARGET_NOT_REBUILT, what)
    size = target.seek(0, 2)
    asked = ApplyRequest(
        format=delta.format, size=min(size * _MEMBERS, _MOST_MEMBERS) if members else size
    )
    expected: MadeFile | UpdateRefused = _made(target)
    if members:
        expected = _written(jail, MEMBERS, [target], asked)
    if isinstance(expected, UpdateRefused):
        return None, None, expected
    applied = _written(jail, APPLY, [base, file], asked)
    if isinstance(applied, UpdateRefused):
        return None, expected, applied
    if applied == expected:
        return applied, expected, None
    what = f"it gives sha256 {applied.sha256}, and our {delta.target} is {expected.sha256}"
    return applied, expected, _refused(UpdateFault.APPLICATION_MISMATCH, what)


def _written(
    jail: Jail,
    reader: Reader[ApplyRequest, Nothing | UpdateRefused],
    files: Sequence[BinaryIO],
    asked: ApplyRequest,
) -> MadeFile | UpdateRefused:
    """Return what a reader wrote, or why it wrote nothing."""
    with tempfile.TemporaryFile() as out:
        try:
            answer = jail.run(reader, files, asked, outputs=[out])
        except JailFailedError as error:
            fault = UpdateFault.UNBOUNDED if error.end in _UNBOUNDED else UpdateFault.UNREADABLE
            return _refused(fault, str(error))
        if isinstance(answer, UpdateRefused):
            return answer
        made = _made(out)
    if made.size > asked.size:
        return _refused(UpdateFault.UNBOUNDED, f"{made.size} bytes, at most {asked.size}")
    return made


def _made(file: BinaryIO) -> MadeFile:
    size = file.seek(0, 2)
    file.seek(0)
    return MadeFile(sha256=digest_stream(file), size=size)


def _refused(fault: UpdateFault, detail: str) -> UpdateRefused:
    return UpdateRefused(fault=fault, detail=detail[:MAX_DETAIL])

"""Grafts for what differs: the signatures that a recipe pins, put onto the rebuilt files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import BinaryIO

from builders.core.digest import Digest
from builders.core.enums import Outcome
from builders.jail.errors import JailUnavailableError
from builders.jail.file_reader import Jail
from builders.recipe.signature import PinnedSignature
from pipelines.judge.compare import Facts, Unread
from pipelines.judge.copied import CheckedInput, Contents, input_fault
from pipelines.judge.finding import FileFact
from pipelines.judge.signatures.signature_format import Graft, Refused

Opener = Callable[[str, Digest], AbstractContextManager[BinaryIO]]
"""Opens a file by its name and digest; its bytes are those, and it is seekable."""


def with_grafts(
    facts: Facts,
    pinned: Mapping[str, PinnedSignature],
    jail: Jail,
    *,
    shipped: Opener,
    rebuilt: Opener,
    scanned: Sequence[tuple[CheckedInput, Contents]],
) -> Facts:
    """Return the facts with a graft for each artefact that differs and is in `pinned`, by name.

    A file that the graft makes into the shipped one proves nothing if an input holds it, no more
    than the shipped file itself: `scanned` inputs were searched for it too. Raises what the openers
    raise.
    """
    if facts.outcome is not Outcome.BUILT or facts.input_fault:
        return facts
    outputs = {output.name: output.sha256 for output in facts.rebuilt}
    found: dict[str, Graft | Refused | Unread] = {}
    for name, signature in pinned.items():
        served, built = facts.served.get(name), outputs.get(name)
        if not built or not isinstance(served, FileFact) or built == served.sha256:
            continue
        from pipelines.judge.signatures.graft import graft  # noqa: PLC0415  # its formats are many

        with (
            shipped(name, served.sha256) as theirs,
            rebuilt(name, built) as ours,
            tempfile.TemporaryFile() as made,
        ):
            try:
                found[name] = graft(jail, theirs, ours, signature, made, digest=served.sha256)
            except JailUnavailableError as error:
                found[name] = Unread(reason=str(error))
    signed = {name: one for name, one in found.items() if isinstance(one, Graft)}
    sought = [
        {name: outputs[name] for name in signed},
        *({name: one} for name, graft in signed.items() for one in graft.contents),
    ]
    faults = [fault for names in sought if (fault := input_fault(scanned, names))]
    return replace(facts, grafts=found, input_fault=faults[0] if faults else None)

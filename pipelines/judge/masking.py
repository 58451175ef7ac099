"""Ledgers for what differs: the fields that a recipe lets be masked, of each rebuilt file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import BinaryIO

from builders.core.enums import Outcome
from builders.jail.errors import JailUnavailableError
from builders.jail.file_reader import Jail
from builders.recipe.normalizers import DeclaredNormalizer
from builders.recipe.signature import PinnedSignature
from pipelines.judge.compare import Facts, Unread
from pipelines.judge.copied import CheckedInput, Contents, input_fault
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import Opener
from pipelines.judge.normalizers.ledger import MaskFault, MaskLedger, NotMasked
from pipelines.judge.signatures.signature_format import Graft, Refused, SignatureFault, Uncovered


def with_masks(
    facts: Facts,
    declared: Mapping[str, Sequence[DeclaredNormalizer]],
    pinned: Mapping[str, PinnedSignature],
    jail: Jail,
    *,
    shipped: Opener,
    rebuilt: Opener,
    scanned: Sequence[tuple[CheckedInput, Contents]],
) -> Facts:
    """Return the facts with a ledger for each artefact that differs and is in `declared`, by name.

    Of one whose signature is `pinned`, our bytes with that signature are masked, if nothing else
    was wrong with it. A rebuilt file that an input holds proves nothing, as with a graft. Raises
    what the openers raise.
    """
    if facts.outcome is not Outcome.BUILT or facts.input_fault:
        return facts
    outputs = {output.name: output for output in facts.rebuilt}
    grafts = dict(facts.grafts)
    found: dict[str, MaskLedger | NotMasked | Unread] = {}
    for name, normalizers in declared.items():
        served, built = facts.served.get(name), outputs.get(name)
        if not built or not isinstance(served, FileFact) or built.sha256 == served.sha256:
            continue
        if (pin := pinned.get(name)) and not _unlike(grafts.get(name)):
            continue
        from pipelines.judge.normalizers.mask import mask  # noqa: PLC0415  # its readers are many

        with shipped(name, served.sha256) as theirs, rebuilt(name, built.sha256) as ours:
            try:
                if pin:
                    found[name], grafts[name] = _mask_signed(jail, theirs, ours, normalizers, pin)
                else:
                    found[name] = mask(jail, theirs, ours, normalizers)
            except JailUnavailableError as error:
                found[name] = Unread(reason=str(error))
    masked = {
        name: outputs[name].sha256 for name, one in found.items() if isinstance(one, MaskLedger)
    }
    return replace(facts, masks=found, grafts=grafts, input_fault=input_fault(scanned, masked))


def _unlike(found: Graft | Refused | Unread | None) -> bool:
    return isinstance(found, Refused) and found.fault is SignatureFault.UNLIKE


def _mask_signed(
    jail: Jail,
    shipped: BinaryIO,
    rebuilt: BinaryIO,
    declared: Sequence[DeclaredNormalizer],
    pinned: PinnedSignature,
) -> tuple[MaskLedger | NotMasked, Graft | Refused]:
    """Mask our bytes with the vendor's signature, which has verified over the shipped file."""
    from pipelines.judge.normalizers.mask import mask  # noqa: PLC0415
    from pipelines.judge.signatures.graft import graft  # noqa: PLC0415

    found: list[MaskLedger | NotMasked] = []

    def alike(made: BinaryIO, unsigned: Sequence[Uncovered]) -> bool:
        found.append(mask(jail, shipped, made, declared, unsigned=unsigned))
        return isinstance(found[0], MaskLedger)

    with tempfile.TemporaryFile() as made:
        grafted = graft(jail, shipped, rebuilt, pinned, made, alike=alike)
    if not found:
        detail = "the signature of the shipped file does not count"
        found.append(NotMasked(fault=MaskFault.SIGNATURE, detail=detail))
    return found[0], grafted

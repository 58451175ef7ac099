"""Ledgers for what differs: the fields that a recipe lets be masked, of each rebuilt file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from builders.core.enums import Outcome
from builders.jail.errors import JailUnavailableError
from builders.jail.file_reader import Jail
from builders.recipe.normalizers import DeclaredNormalizer
from pipelines.judge.compare import Facts, Unread
from pipelines.judge.copied import CheckedInput, Contents, input_fault
from pipelines.judge.finding import FileFact
from pipelines.judge.grafting import Opener
from pipelines.judge.normalizers.ledger import MaskLedger, NotMasked
from pipelines.judge.normalizers.mask import mask


def with_masks(
    facts: Facts,
    declared: Mapping[str, Sequence[DeclaredNormalizer]],
    jail: Jail,
    *,
    shipped: Opener,
    rebuilt: Opener,
    scanned: Sequence[tuple[CheckedInput, Contents]],
) -> Facts:
    """Return the facts with a ledger for each artefact that differs and is in `declared`, by name.

    A rebuilt file that an input holds proves nothing, as with a graft. Raises what the openers
    raise.
    """
    if facts.outcome is not Outcome.BUILT or facts.input_fault:
        return facts
    outputs = {output.name: output for output in facts.rebuilt}
    found: dict[str, MaskLedger | NotMasked | Unread] = {}
    for name, normalizers in declared.items():
        served, built = facts.served.get(name), outputs.get(name)
        if not built or not isinstance(served, FileFact) or built.sha256 == served.sha256:
            continue
        with shipped(name, served.sha256) as theirs, rebuilt(name, built.sha256) as ours:
            try:
                found[name] = mask(jail, theirs, ours, normalizers)
            except JailUnavailableError as error:
                found[name] = Unread(reason=str(error))
    masked = {
        name: outputs[name].sha256 for name, one in found.items() if isinstance(one, MaskLedger)
    }
    return replace(facts, masks=found, input_fault=input_fault(scanned, masked))

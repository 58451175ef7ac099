"""What a center adds to exported bundles: its card, keys, policy, log and peers."""

from __future__ import annotations

from collections.abc import Mapping

from builders.core.smallfile import read_small_file
from pipelines.bundle.export import ExportSource
from pipelines.bundle.layout import MAX_POLICY, CenterCard, KeyEntry
from pipelines.center.center import Center
from pipelines.center.keys import log_key, public_keys
from pipelines.evidence.publickey import PublicKey
from pipelines.log.writer import LogWriter


def export_source(center: Center, log: LogWriter) -> ExportSource:
    """Return the source of exports from `center` with the log `log`; raises `KeyFileError`."""
    keys = public_keys(center)
    path = center.policy
    return ExportSource(
        card=card_of(center, keys),
        keys=keys,
        log_key=log_key(center),
        log=log,
        policy=read_small_file(path, limit=MAX_POLICY, file=str(path)) if path.is_file() else None,
        peers=tuple(peer.open() for peer in center.peers),
    )


def card_of(center: Center, keys: Mapping[str, PublicKey]) -> CenterCard:
    """Return the card of a center; `keys` are its public keys by use."""
    return CenterCard(
        id=center.id,
        operator=center.operator,
        region=center.region,
        builder_id=center.builder_id,
        verifier_id=center.verifier_id,
        keys=tuple(KeyEntry.model_validate({"use": u, "keyid": k.keyid}) for u, k in keys.items()),
    )

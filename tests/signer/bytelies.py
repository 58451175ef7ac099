"""Lies about bytes: the store or the vault holds something else than the evidence names."""

from __future__ import annotations

from builders.core.digest import Digest
from builders.inputs.vault import Vault
from pipelines.storage.names import Visibility, cas
from tests.signer.lie import OTHER, Change, Document, Lie
from tests.signer.scene import LOG, OURS, Scene


def _vaulted(evidence: Document, data: bytes | None) -> str:
    """Return the name in the vault of those bytes, or else of the source."""
    (source,) = evidence["report"]["environment"]["sources"]
    return Vault.key(Digest.of(data) if data else Digest(source["sha256"]))


def _gone(data: bytes | None = None) -> Change:
    def tell(evidence: Document, scene: Scene) -> None:
        del scene.store.objects[_vaulted(evidence, data)]

    return tell


def _changed_in_the_vault(data: bytes) -> Change:
    def tell(evidence: Document, scene: Scene) -> None:
        scene.store.objects[_vaulted(evidence, data)] = [bytes(len(data))]

    return tell


def _changed_in_the_store(data: bytes) -> Change:
    def tell(_: Document, scene: Scene) -> None:
        key = cas(Visibility.PRIVATE, Digest.of(data))
        assert key in scene.store.objects
        scene.store.objects[key] = [bytes(len(data))]

    return tell


def _unreadable_source(evidence: Document, scene: Scene) -> None:
    """Give a source digest for an archive that ends in the middle."""
    broken = Scene(folder=scene.folder, store=scene.store, archive=b"\x1f\x8b\x08", read=False)
    evidence.clear()
    evidence.update(broken.make().to_dict())
    evidence["report"]["environment"]["sources"][0]["source_digest"] = OTHER


def _output_twice(evidence: Document, _: Scene) -> None:
    outputs = evidence["report"]["attempts"][0]["rebuild"]["outputs"]
    outputs.insert(0, dict(outputs[0]))


BYTE_LIES: dict[str, Lie] = {
    "output-changed-in-the-store": Lie("output-bytes", "identical", _changed_in_the_store(OURS)),
    "output-twice": Lie("output-names", "identical", _output_twice),
    "log-changed-in-the-store": Lie("log", "identical", _changed_in_the_store(LOG)),
    "explanation-changed-in-the-store": Lie(
        "explanation", "different", _changed_in_the_store(b"<p>")
    ),
    "input-changed-in-the-vault": Lie(
        "input-bytes", "identical", _changed_in_the_vault(b"a tool\n")
    ),
    "source-not-in-the-vault": Lie("input-bytes", "identical", _gone()),
    "source-that-cannot-be-read": Lie("sources", "identical", _unreadable_source),
    "shipped-file-changed-in-the-vault": Lie(
        "shipped-bytes", "identical", _changed_in_the_vault(OURS)
    ),
    "shipped-file-not-in-the-vault": Lie("shipped-bytes", "identical", _gone(OURS)),
}

"""A signer whose center file changes while it runs."""

from __future__ import annotations

from typing import Any

from builders.core.errors import UsageError
from pipelines.signer.renewed import RenewedSigner


class Signer:
    """Signs with the name of the center that it was made for."""

    def __init__(self, name: str) -> None:
        self.log = f"log of {name}"
        self.name = name

    def sign(self, _evidence: Any) -> list[Any]:
        return [self.name]

    def sign_status(self, _order: Any) -> Any:
        return self.name


def test_a_signer_is_made_anew_when_the_file_changes_and_only_then() -> None:
    made, said, now = list[str](), list[str](), ["one"]

    def make(name: Any) -> Any:
        made.append(name)
        if name == "bad":
            raise UsageError("no such key")
        return Signer(name)

    order: Any = None
    current: Any = lambda: now[0]  # noqa: E731
    signer: Any = RenewedSigner(current, make, said.append)
    assert [signer.sign(order), signer.sign(order)] == [["one"], ["one"]]
    now[0] = "bad"
    assert signer.sign_status(order) == "one"
    assert signer.log == "log of one"
    assert said == ["the changed center file cannot be used, and changes nothing: no such key"]
    now[0] = "two"
    assert signer.sign_status(order) == "two"
    assert made == ["one", "bad", "two"]
    assert said[1:] == ["the changed center file is in use"]

from __future__ import annotations

import pytest

from builders.core.errors import UsageError
from pipelines.evidence.release_name import ReleaseName


@pytest.mark.parametrize(
    "text", ["debian/netbase@6.5", "debian/libsodium@1.0.18-1+deb13u1", "a/b.c@1:2~3!4"]
)
def test_a_release_reads_back(text: str) -> None:
    assert str(ReleaseName.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "netbase",
        "debian/netbase",
        "netbase@6.5",
        "debian/netbase@",
        "/netbase@6.5",
        "debian/@6.5",
        "debian/a/b@6.5",
        "debian/netbase@6.5@7",
        "../netbase@6.5",
        "debian/..@6.5",
        "debian/netbase@..",
        "debian/net base@6.5",
        "debian/netbase@6.5\n",
        "debian/\x1b[31m@6",
    ],
)
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected vendor/product@version") as caught:
        ReleaseName.parse(text)
    assert "\x1b" not in str(caught.value)

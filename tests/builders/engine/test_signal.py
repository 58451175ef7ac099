"""Which signal an exit code stands for."""

from __future__ import annotations

import pytest

from builders.engine.container_run import _signal


@pytest.mark.parametrize(
    ("code", "signal"),
    [(None, None), (0, None), (1, None), (128, None), (129, 1), (137, 9), (139, 11), (255, None)],
)
def test_a_shell_reports_a_signal_as_128_more(code: int | None, signal: int | None) -> None:
    assert _signal(code) == signal

"""Programs of the machine run in a folder and an environment of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from builders.core.run_tool import run_tool, tool_environment

PRINT = "import os; print(os.getcwd()); print(os.listdir())"


def test_a_program_does_not_see_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netbase_6.5_all.deb").write_bytes(b"the shipped file")
    monkeypatch.chdir(tmp_path)
    done = run_tool([sys.executable, "-c", PRINT], environment={}, timeout=300)
    folder, listed = done.text.splitlines()
    assert folder != str(tmp_path)
    assert listed == "[]"
    assert not Path(folder).exists()


def test_a_program_sees_no_credentials_of_samebits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("SAMEBITS_STORE", "s3://store")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    monkeypatch.setenv("APT_CONFIG", "/etc/apt/other.conf")
    found = tool_environment("APT_CONFIG", DEBIAN_FRONTEND="noninteractive")
    assert found["https_proxy"] == "http://proxy.example"
    assert found["APT_CONFIG"] == "/etc/apt/other.conf"
    assert found["DEBIAN_FRONTEND"] == "noninteractive"
    assert not {"AWS_SECRET_ACCESS_KEY", "SAMEBITS_STORE"} & found.keys()
    assert "APT_CONFIG" not in tool_environment()

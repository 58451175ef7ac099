"""A customer has a file, a bundle and a policy, and wants to know what the file is worth.

The customer has no center, no engine and no network, and types what the how-to for customers says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import click
import pytest

from tests.bundle.test_export import Filled
from tests.command import Ended, in_terminal, samebits
from tests.docs.pages import DOCS, blocks
from tests.signer.scene import OURS

EXAMPLE = DOCS / "example"
HOWTO = DOCS / "howto" / "customer.md"
NETBASE = "netbase_6.5_all.deb"
ROOT = Path(__file__).parents[2]
ARCHIVES = ROOT / "tests" / "data" / "archives"
GREEN = "\x1b[32m"
CHECK = ("evidence", "check", "netbase.bundle.tar", "--policy", "policy.dsse.json")
RULES = ("evidence", "check", "rules.bundle.tar", "--policy", "rules.policy.json")


class Customer:
    """A folder with what the customer has, and the command on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        for name in ("netbase.bundle.tar", "policy.dsse.json"):
            shutil.copy(EXAMPLE / name, folder)
        shutil.copy(ARCHIVES / NETBASE, folder)
        with tarfile.open(folder / "netbase.bundle.tar") as bundle:
            key = bundle.extractfile("keys/statements.pub")
            assert key is not None
            (folder / "statements.pub").write_bytes(key.read())
        (folder / "bin").mkdir()
        command = folder / "bin" / "samebits"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipelines.cli "$@"\n')
        command.chmod(0o755)

    def types(self, *words: str) -> Ended:
        return samebits(*words, home=self.home)

    def sees(self, *words: str) -> Ended:
        """Type it in a terminal."""
        return in_terminal(*words, home=self.home)

    def pastes(self, script: str, *, within: tuple[str, ...] = ()) -> Ended:
        """Paste lines of the how-to into a shell."""
        done = subprocess.run(
            [*within, "bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env={
                **os.environ,
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "SAMEBITS_HOME": str(self.home),
            },
        )
        return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="module")
def customer(tmp_path_factory: pytest.TempPathFactory) -> Customer:
    return Customer(tmp_path_factory.mktemp("customer"))


@pytest.fixture(scope="module")
def center(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """A center elsewhere, that could not reproduce a release."""
    return Filled(tmp_path_factory.mktemp("center"), "different")


@pytest.fixture(autouse=True)
def in_the_folder(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(customer.folder)


def block_with(words: str) -> str:
    """Return the shell block of the how-to that has those words."""
    (found,) = (b.text for b in blocks(HOWTO) if b.language == "sh" and words in b.text)
    return found


def first_line(ended: Ended) -> str:
    return click.unstyle(ended.out).splitlines()[0]


def test_first_the_policy_is_looked_at(customer: Customer) -> None:
    ended = customer.pastes(block_with("policy check policy.dsse.json"))
    assert ended.code == 0, ended.err
    shown = next(b.text for b in blocks(HOWTO) if b.text.startswith("version "))
    told = [line for line in ended.out.splitlines() if not line.startswith("expires")]
    assert told == [line for line in shown.splitlines() if not line.startswith("expires")]


@pytest.mark.root
def test_the_bundle_is_checked_without_a_network(customer: Customer) -> None:
    block = block_with(
        f"evidence check netbase.bundle.tar --policy policy.dsse.json --file {NETBASE}"
    )
    ended = customer.pastes(block, within=("unshare", "--net"))
    assert ended.code == 0, ended.err
    assert ended.out.startswith("REPRODUCED: debian/netbase@6.5, by center local")
    assert "\x1b" not in ended.out


def test_on_a_terminal_the_answer_is_green_and_fits(customer: Customer) -> None:
    seen = customer.sees(*CHECK, "--file", NETBASE)
    assert seen.code == 0
    assert seen.out.startswith(f"{GREEN}\x1b[1mREPRODUCED")
    assert max(len(click.unstyle(line)) for line in seen.out.splitlines()) <= 80


def test_a_script_reads_the_exit_code_and_json(customer: Customer) -> None:
    document = customer.types(*CHECK, "--file", NETBASE, "--json").document()
    assert document["exit_code"] == 0
    assert [answer["verdict"] for answer in document["files"]] == ["IDENTICAL"]


def test_cosign_says_the_same_without_samebits(customer: Customer) -> None:
    ended = customer.pastes(block_with("cosign verify-blob-attestation"))
    assert ended.code == 0, ended.err
    assert ended.err.count("Verified OK") == 2
    verdict = customer.pastes(block_with("python3 -c"))
    assert (verdict.code, verdict.out) == (0, "IDENTICAL\n")


def test_an_altered_file_is_refused_by_both(customer: Customer) -> None:
    whole = (customer.folder / NETBASE).read_bytes()
    altered = bytearray(whole)
    altered[7436] ^= 1
    (customer.folder / NETBASE).write_bytes(altered)
    try:
        seen = customer.sees(*CHECK, "--file", NETBASE)
        judged = customer.pastes(block_with("cosign verify-blob-attestation"))
    finally:
        (customer.folder / NETBASE).write_bytes(whole)
    assert seen.code == 2
    assert first_line(seen).startswith("NOT PROVEN: ")
    told = " ".join(click.unstyle(seen.out).split())
    assert f"{NETBASE} has other bytes than the artefact of that name." in told
    assert "expected sha256 76bafa92947e. It is altered, or of another release" in told
    assert GREEN not in seen.out
    assert judged.code != 0


def test_an_altered_bundle_is_refused(customer: Customer) -> None:
    data = bytearray((customer.folder / "netbase.bundle.tar").read_bytes())
    place = data.index(b"IDENTICAL")
    data[place : place + 9] = b"DIFFERENT"
    (customer.folder / "altered.tar").write_bytes(data)
    seen = customer.sees(*CHECK[:2], "altered.tar", *CHECK[3:])
    assert seen.code == 1
    assert first_line(seen).startswith("REFUSED: ")
    assert GREEN not in seen.out


def test_an_age_is_told_as_it_was_asked_for(customer: Customer) -> None:
    seen = customer.sees(*CHECK, "--max-age", "720h")
    assert seen.code == 1
    told = " ".join(click.unstyle(seen.out).split())
    assert "expected enough witnesses in the last 720h. This policy names no witness" in told


def test_without_a_policy_nothing_is_proven(customer: Customer) -> None:
    seen = customer.sees(*CHECK[:3], "--file", NETBASE)
    assert seen.code == 2
    assert first_line(seen).startswith("NOT PROVEN: ")
    assert GREEN not in seen.out
    with_key = customer.pastes(
        f"{block_with('evidence check netbase.bundle.tar --key')} || echo exit $?"
    )
    assert with_key.out.splitlines()[-1] == "exit 2"


def test_a_release_that_differs_is_never_a_green_ok(customer: Customer, center: Filled) -> None:
    out = customer.folder / "rules.bundle.tar"
    out.write_bytes(center.export())
    shutil.copy(center.policy, customer.folder / "rules.policy.json")
    (customer.folder / "rules.bin").write_bytes(OURS)  # as the vendor ships it
    seen = customer.sees(*RULES, "--file", "rules.bin")
    assert seen.code == 1
    assert first_line(seen).startswith("NOT REPRODUCED: ")
    assert GREEN not in seen.out
    peer = f"zurich={center.file.parent / 'store'}"
    known = ("check", "rules.bin", "--policy", "rules.policy.json", "--peer", peer)
    looked_up = customer.sees(*known)
    assert looked_up.code == 1
    assert first_line(looked_up).startswith("NOT REPRODUCED: ")
    assert GREEN not in looked_up.out

    # cosign says "Verified OK" of the signature, so the how-to goes on to read the verdict.
    unpack, _, compared = block_with("cosign verify-blob-attestation").split("cosign ")
    lines = f"{unpack}cosign {compared}".replace("netbase.bundle.tar", "rules.bundle.tar")
    lines = lines.replace("statements.pub", "keys/statements.pub").replace(NETBASE, "rules.bin")
    judged = customer.pastes(lines)
    assert (judged.code, judged.err.count("Verified OK")) == (0, 1), judged.err
    verdict = customer.pastes(block_with("python3 -c"))
    assert (verdict.code, verdict.out) == (0, "DIFFERENT\n")


def test_a_file_is_looked_up_where_a_store_can_be_read(customer: Customer, center: Filled) -> None:
    bare = customer.types("check", NETBASE)
    assert bare.code == 2
    assert "Name one with --policy" in bare.err
    unknown = customer.types("check", NETBASE, "--policy", "policy.dsse.json")
    assert (unknown.code, unknown.out.partition(":")[0]) == (2, "UNKNOWN")
    store = str(center.file.parent / "store")
    elsewhere = customer.types("check", NETBASE, "--policy", "policy.dsse.json", "--store", store)
    assert (elsewhere.code, elsewhere.out.partition(":")[0]) == (2, "UNKNOWN")
    assert "asked: local" in elsewhere.out


@pytest.mark.parametrize(("words", "code"), [(["--venv"], 0), ([], 1), (["--vnev"], 1)])
def test_a_customer_sets_up_without_root_and_engine(
    tmp_path: Path, words: list[str], code: int
) -> None:
    """In a folder whose environment is there already, which would take half a minute."""
    for name in ("infra/bootstrap.sh", "infra/requirements.txt", "pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    scripts = {
        ".venv/bin/samebits": "",
        "bin/id": "echo 1000",
        **{f"bin/{name}": f"touch {tmp_path}/called; exit 1" for name in ("docker", "apt-get")},
    }
    for name, text in scripts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    script = f"""
        cd {tmp_path}
        sha256sum {tmp_path}/infra/requirements.txt {tmp_path}/pyproject.toml | sha256sum |
            cut -d ' ' -f 1 > .venv/.samebits-pins
        PATH={tmp_path}/bin:$PATH exec bash infra/bootstrap.sh {" ".join(words)}
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, "--venv" in done.stderr) == (code, code != 0), done.stderr
    assert not (tmp_path / "called").exists()

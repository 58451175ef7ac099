"""Packs the folder that make.sh has left, and records what the commands say of it.

Arguments: that folder. Written are `centers.tar.xz` and `expected/*.json` beside this file. The
commands run one by one, as users run them, on what was packed, with the samebits of this checkout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
ARCHIVE, EXPECTED = HERE / "centers.tar.xz", HERE / "expected"
MACHINE = {"apt", "budget", "cache", "flow-runs", "locks", "prefect", "runs", "standing", "work"}
"""What lies in a center's home and belongs to one machine: no evidence, and no key."""
LARGEST_INPUT = 100
"""Bytes of an input in a vault: those of the examples are smaller, those of Debian are not."""

CENTERS = ("--center europe.yaml", "--center asia.yaml", "")
EXAMPLES = "recipes/releases/lab/example"
VERSIONS = sorted(path.stem for path in (HERE / "recipes" / "lab" / "example").glob("*.yaml"))
RELEASES = ("debian/netbase@6.5", "debian/hostname@3.25", *(f"lab/example@{v}" for v in VERSIONS))
EXPORTED = {
    "made": "lab/example@made --center europe.yaml",
    "private": "lab/example@private --center europe.yaml",
    "hostname": "debian/hostname@3.25 --center europe.yaml",
    "asia-dated": "lab/example@dated --center asia.yaml",
    "local": "lab/example@made",
}
"""Bundles that are exported again: the same bytes must come out."""


def main(made: Path) -> None:
    """Pack and record."""
    pack(made)
    EXPECTED.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
        for subject, commands in subjects(Path(folder)).items():
            found = [run(command, Path(folder)) for command in commands]
            text = json.dumps(found, indent=1, ensure_ascii=False)
            (EXPECTED / f"{subject}.json").write_text(f"{text}\n")
            print(f"{subject}: {len(found)} commands, {len(text)} bytes")  # noqa: T201


def pack(made: Path) -> None:
    """Write the archive: sorted, without owners, times as they are."""

    def kept(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        parts = Path(info.name).parts
        if len(parts) == 2 and parts[1] in MACHINE:
            return None
        if "vault" in parts and info.isfile() and info.size > LARGEST_INPUT:
            return None
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        return info

    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for path in sorted(made.iterdir()):
            archive.add(path, path.name, filter=kept)


def subjects(folder: Path) -> dict[str, list[str]]:
    """Return the commands of each file in `expected`; none of them changes what another reads."""
    bundles = sorted(path.name for path in (folder / "bundles").iterdir())
    file = f"{EXAMPLES}/out.bin"
    local = "local/policy/policy.dsse.json"
    signing = "--key local/keys/operator.key --operator local --out again.dsse.json"
    return {
        "evidence-list": [
            *(f"evidence list --json {center}" for center in CENTERS),
            "evidence list lab/example@made --json --center europe.yaml",
        ],
        "evidence-show": [*shown(folder)],
        "evidence-check": [
            *(
                f"evidence check bundles/{name} --json --policy policy.dsse.json"
                for name in bundles
            ),
            f"evidence check bundles/local.tar --json --policy {local}",
            f"evidence check bundles/made.tar --json --policy policy.dsse.json --file {file}",
            f"evidence check bundles/private.tar --json --policy policy.dsse.json --file {file}",
            "evidence check bundles/made.tar --json --policy policy.dsse.json --max-age 876000h",
            "evidence check bundles/made.tar --json --key europe/keys/statements.pub",
            "evidence check bundles/made.tar --json",
        ],
        "evidence-export": [
            *(f"evidence export {of} --out {name}.tar --json" for name, of in EXPORTED.items()),
            "evidence export lab/example@echoed --out echoed.tar --json --center asia.yaml",
        ],
        "check": [
            *(f"check {file} --json {center}" for center in CENTERS),
            f"check {file} --json --store europe/store",
            *(
                f"check {EXAMPLES}/{name} --json --center europe.yaml"
                for name in ("builder.bin", "replaced.bin", "source.c", "gone.yaml")
            ),
        ],
        "consensus": [
            *(f"consensus {release} --json --center europe.yaml" for release in RELEASES),
            "consensus lab/example@echoed --json --center asia.yaml",
            "consensus lab/example@made --json",
        ],
        "log": [
            *(f"log check --json {center}" for center in CENTERS),
            "log check --peer asia --json --center europe.yaml",
            "log check --peer europe --json --center asia.yaml",
            *(f"log checkpoint --json {center}" for center in CENTERS),
            *(f"log prove {index} --json --center europe.yaml" for index in (0, 57, 100)),
        ],
        "center": ["center status --json --center europe.yaml"],
        "policy": [
            "policy check policy.dsse.json --json",
            f"policy check {local} --trusted local/policy/before.dsse.json --json",
            f"policy check {local} --trusted policy.dsse.json --json",
            "policy diff local/policy/before.dsse.json local/policy/policy.yaml --json",
            "policy diff europe/policy/policy.yaml policy.dsse.json --json",
            f"policy sign local/policy/policy.yaml {signing} --json",
        ],
        "review": [
            *(f"review list --json {center}" for center in CENTERS),
            "review list lab/example@reviewed --json --center asia.yaml",
            *(
                f"review list {EXAMPLES}/{name}.yaml --json --center europe.yaml"
                for name in ("reviewed", "made", "private", "declared")
            ),
            "review list --json --from europe/store/public/reviews",
        ],
    }


def shown(folder: Path) -> Iterator[str]:
    """Yield a command for the newest run of every release, and for those that were before it."""
    for release in RELEASES:
        yield f"evidence show {release} --json --center europe.yaml"
    listed = run("evidence list lab/example@reviewed --json --center europe.yaml", folder)
    yield (
        "evidence show lab/example@reviewed --json --center europe.yaml --run "
        + listed["output"]["runs"][0]["run"]
    )
    yield "evidence show lab/example@echoed --json --center asia.yaml"
    yield "evidence show lab/example@odd --json"


def run(command: str, folder: Path) -> dict[str, Any]:
    """Run a command in a folder, and return what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *command.split()],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "SAMEBITS_HOME": str(folder / "local")},
    )
    return {
        "command": command.strip(),
        "exit_code": done.returncode,
        "output": json.loads(done.stdout.replace(str(folder), "FOLDER")),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

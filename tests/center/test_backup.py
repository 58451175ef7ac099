"""A backup: made while a center works, without its keys, and restored as it was or not at all."""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.core.digest import Digest, digest_file
from builders.core.errors import UsageError
from pipelines.center.backup import MANIFEST, NOT_KEPT
from pipelines.center.center import Center
from pipelines.center.keys import center_key, public_keys
from pipelines.center.restore import restore_backup
from pipelines.evidence.dsse import sign_envelope
from pipelines.log.witness import WitnessOutcome
from pipelines.verify.session import Session
from tests.center.test_restore import Restored
from tests.command import Ended, samebits
from tests.docs.pages import REFERENCE
from tests.evidence.examples import STATEMENTS


class Kept(Restored):
    """A center whose store is below its home, as by default."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        text = self.file.read_text().replace(f"store: {folder}/store\n", "")
        self.file.write_text(text)
        (folder / "store").symlink_to(folder / "home" / "store")

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *words: str | Path) -> Ended:
        return samebits("center", *words, "--center", self.file, home=self.folder / "user")

    def backed_up(self, *words: str) -> Path:
        path = self.folder / "zurich.tar"
        ended = self.run("backup", path, *words)
        assert ended.code == 0, ended.err
        return path

    def lose(self) -> None:
        """Lose the home, but for the private keys, which were copied elsewhere and come back."""
        keys, safe = self.home / "keys", self.folder / "safe"
        for source, target in ((keys, safe), (safe, keys)):
            subprocess.run(["install", "-d", "-m", "0700", target], check=True)
            files = sorted(source.glob("*.key"))
            subprocess.run(["install", "-m", "0600", *files, target], check=True)
            if target is safe:
                shutil.rmtree(self.home)


@pytest.fixture
def center(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Return mode and digest of everything that a backup keeps."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        passing = "tmp" in name.parts or path.name.endswith(".lock")
        if path.is_file() and not passing and name.parts[0] not in NOT_KEPT - {"store"}:
            found[str(name)] = (stat.S_IMODE(path.stat().st_mode), str(digest_file(path)))
    return found


def test_a_lost_home_is_as_it_was(center: Kept) -> None:
    center.commit(1, 2)
    center.witness()
    (center.home / "images").mkdir()
    (center.home / "images/1.0+b~1 x.yaml").write_bytes(b"a name")
    before, path = contents(center.home), center.backed_up()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    center.lose()
    ended = center.run("restore", path, "--json")
    assert ended.code == 0, ended.err
    told = ended.document()
    assert contents(center.home) == before
    assert told["sha256"] == str(digest_file(path))
    assert told["log"] == {"signed": 2, "stored": 2}
    assert set(told["keys"].values()) == {"in place"}
    assert center.check().code == 0
    center.commit(3)
    assert center.runs() == ["1", "2", "3"]
    assert center.witness() is WitnessOutcome.COSIGNED


def test_no_private_key_and_nothing_that_is_made_again_is_in_it(center: Kept) -> None:
    center.commit(1)
    for name in ("standing", "cache", "runs"):
        (center.home / name).mkdir(exist_ok=True)
        (center.home / name / "auth").write_bytes(b"a secret")
    with tarfile.open(center.backed_up()) as tar:
        names = tar.getnames()
        data = b"".join(file.read() for m in tar if (file := tar.extractfile(m)))
    assert "keys/log/signed" in names
    assert not [n for n in names if n.endswith((".key", ".lock", "heads.sqlite", "auth"))]
    assert b"PRIVATE KEY" not in data
    assert b"a secret" not in data


def test_an_older_backup_goes_on_with_the_log_of_a_store_elsewhere(tmp_path: Path) -> None:
    center = Restored(tmp_path)
    center.commit(1)
    path = tmp_path / "backup"
    path.mkdir()
    words = ("--center", center.file)
    assert samebits("center", "backup", path, *words, home=tmp_path / "user").code == 0
    (file,) = path.iterdir()
    center.commit(2, 3)
    keys = tmp_path / "safe"
    shutil.copytree(
        tmp_path / "home/keys", keys, ignore=shutil.ignore_patterns("log", "*.pub", "*.json")
    )
    shutil.rmtree(tmp_path / "home")
    ended = samebits("center", "restore", file, "--json", *words, home=tmp_path / "user")
    told = ended.document()
    assert told["log"] == {"signed": 1, "stored": 3}
    assert set(told["keys"].values()) == {"missing"}
    shutil.copytree(keys, tmp_path / "home/keys", dirs_exist_ok=True)
    center.commit(4)
    assert center.runs() == ["1", "2", "3", "4"]


def test_public_keys_are_written_again_from_the_private_ones(center: Kept) -> None:
    before = public_keys(center.center)
    for path in (*center.center.key_folder.glob("*.pub"), *center.center.key_folder.glob("*.json")):
        path.unlink()
    assert public_keys(center.center) == before


def test_a_center_without_a_file_gets_no_new_keys(tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "local.tar"
    assert samebits("heartbeat", home=home).code == 0
    assert samebits("center", "backup", path, home=home).code == 0
    kept = shutil.copytree(home / "keys", tmp_path / "keys", ignore=shutil.ignore_patterns("log"))
    shutil.rmtree(home)
    told = samebits("center", "restore", path, "--json", home=home).document()
    assert set(told["keys"].values()) == {"missing"}
    shutil.copytree(kept, home / "keys", dirs_exist_ok=True)
    assert samebits("log", "check", home=home).code == 0


def test_a_home_with_a_log_is_not_replaced(center: Kept) -> None:
    center.commit(1)
    path = center.backed_up()
    center.commit(2)
    before = contents(center.home)
    ended = center.run("restore", path)
    assert ended.code == 64
    assert "has a log of its own" in ended.err
    assert contents(center.home) == before
    ended.assert_clear()


def _commits(folder: Path) -> None:
    center = Restored.__new__(Kept)
    center.folder, center.file = folder, folder / "zurich.yaml"
    for number in range(100, 125):
        center.commit(number)


def test_a_copy_of_a_center_at_work_is_whole(center: Kept) -> None:
    center.commit(1)
    process = multiprocessing.get_context("fork").Process(target=_commits, args=(center.folder,))
    process.start()
    path = center.backed_up()
    process.join(timeout=300)
    assert process.exitcode == 0
    center.lose()
    assert center.run("restore", path).code == 0
    ended = center.check()
    assert ended.code == 0, ended.out + ended.err
    center.commit(5)
    assert center.runs()[-1] == "5"


def test_what_was_stored_and_not_logged_yet_is_logged_after_the_restore(center: Kept) -> None:
    place = "public/heartbeats/zurich/20260102T030405Z.dsse.json"
    with Session(center.center) as session, session.logbook().storing(place):
        statement = STATEMENTS["heartbeat"].to_bytes()
        envelope = sign_envelope(statement, center_key(center.center))
        session.store.put_record(place, envelope.to_bytes())
        path = center.backed_up()
    center.lose()
    assert center.run("restore", path).code == 0
    with Session(center.center) as session:
        session.logbook().settle()
        assert session.logbook().log.find(f"pae:{envelope.digest()}") == 0


def members(path: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(path) as tar:
        return [(m, f.read() if (f := tar.extractfile(m)) else b"") for m in tar]


def written(path: Path, made: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for member, data in made:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def named(name: str) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]:
    """Return what puts a file of that name into a backup, and into its manifest."""

    def add(made: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        member, data = made.pop()
        manifest = json.loads(data)
        manifest["files"].append({"name": name, "size": 1, "sha256": str(Digest.of(b"x"))})
        made += [(tarfile.TarInfo(name), b"x"), (member, json.dumps(manifest).encode())]

    return add


def linked(made: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    link = tarfile.TarInfo("policy/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    made.insert(1, (link, b""))


def of_basel(made: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    made[-1] = (made[-1][0], made[-1][1].replace(b'"zurich"', b'"basel"'))


def one_byte(made: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    made[2] = (made[2][0], bytes([made[2][1][0] ^ 1]) + made[2][1][1:])


LIES: dict[str, Callable[[list[tuple[tarfile.TarInfo, bytes]]], object]] = {
    "a byte": one_byte,
    "a file less": lambda made: made.pop(2),
    "a file twice": lambda made: made.insert(2, made[2]),
    "no manifest": lambda made: made.pop(),
    "no marker": lambda made: made.pop(0),
    "a link": linked,
    "another center": of_basel,
    "outside": named("../outside/x"),
    "absolute": named("/etc/x"),
    "a key": named("keys/statements.key"),
    "a service": named("standing/auth"),
    "a loose file": named("x"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a center that is gone."""
    center = Kept(tmp_path_factory.mktemp("sound"))
    center.commit(1)
    path = center.backed_up()
    shutil.rmtree(center.home)
    return path


def refused(path: Path, folder: Path) -> None:
    """See that a file is refused, and that it leaves nothing."""
    (folder / "keys").mkdir()
    home = folder / "home"
    with pytest.raises(UsageError, match=r"cannot be restored|is of another center"):
        restore_backup(Center(id="zurich", home=home, store=home / "store"), path)
    assert sorted(one.name for one in folder.iterdir()) == ["keys", path.name]


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_no_backup_wrote_changes_nothing(sound: Path, tmp_path: Path, lie: str) -> None:
    made = members(sound)
    LIES[lie](made)
    refused(written(tmp_path / "lie.tar", made), tmp_path)


@pytest.mark.parametrize("part", [0, 0.3, 0.6])
def test_a_truncated_file_changes_nothing(sound: Path, tmp_path: Path, part: float) -> None:
    path = tmp_path / "part.tar"
    path.write_bytes(sound.read_bytes()[: int(sound.stat().st_size * part)])
    refused(path, tmp_path)


def test_what_is_no_backup_is_one_message(center: Kept) -> None:
    center.lose()
    for path in (center.file, center.folder / "nowhere", center.folder):
        ended = center.run("restore", path)
        assert ended.code == 64
        ended.assert_clear()


def test_another_file_than_was_written_down_is_refused(center: Kept) -> None:
    path = center.backed_up()
    center.lose()
    assert center.run("restore", path, "--sha256", str(Digest.of(b"another"))).code == 64
    assert center.run("restore", path, "--sha256", "another").code == 64
    assert center.run("restore", path, "--sha256", str(digest_file(path))).code == 0


def test_without_the_vault_there_is_all_but_the_inputs(center: Kept) -> None:
    (center.folder / "input").write_bytes(b"an input")
    words = ("vault", "add", center.folder / "input", "--center", center.file)
    assert samebits(*words, home=center.folder / "user").code == 0
    names = [m.name for m, _ in members(center.backed_up("--without-vault"))]
    assert not [n for n in names if "/vault/" in n]
    (center.folder / "zurich.tar").unlink()
    assert [m for m, _ in members(center.backed_up()) if "/vault/" in m.name]
    assert MANIFEST in names


def test_every_folder_that_cannot_be_deleted_is_kept() -> None:
    """The reference says which folders of a home can be made again."""
    page = (REFERENCE / "files.md").read_text().partition("## The store")[0]
    for line in page.splitlines():
        if line.startswith("| `"):
            folders, _, last = (cell.strip() for cell in line.strip("| ").split(" | "))
            for folder in folders.replace("`", "").split(", "):
                name = folder.rstrip("/")
                kept = name not in NOT_KEPT or name in {"keys", "log", "store"}
                assert kept == (last == "no"), name

"""A container engine of a test's own, with its own images, to be broken and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.command import children_of, wait_until

# The third descriptor is the socket, in the way in which systemd hands it over.
_LAUNCH = 'LISTEN_FDS=1 LISTEN_PID=$$ exec dockerd "$@" 3<&0 < /dev/null'


class OwnEngine:
    """One engine in one folder.

    As on a machine with systemd, its socket and its containerd are there for as long as this lives:
    whoever asks while no engine runs waits for the next one, and containers outlive a crash.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.options = options
        self.folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self._socket = socket.socket(socket.AF_UNIX)
        self._containerd: subprocess.Popen[bytes] | None = None
        self._engine: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the folder, and all in it that outlives an engine."""
        # In memory: what is here lives for seconds, and disks are slow to take it and to forget it.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "engine", self.folder], check=True)
        self._socket.bind(str(self.folder / "docker.sock"))
        self._socket.listen(128)
        self._containerd = self._spawn(
            "containerd", "--config", "/dev/null", "--address", self.folder / "containerd.sock",
            "--root", self.folder / "containerd", "--state", self.folder / "state",
        )  # fmt: skip

    def start(self) -> None:
        self._engine = self._spawn(
            "sh", "-c", _LAUNCH, "dockerd", "--host", "fd://", "--bridge=none", "--iptables=false",
            "--ip6tables=false", "--data-root", self.folder / "data",
            "--exec-root", self.folder / "exec", "--pidfile", self.folder / "pid",
            "--containerd", self.folder / "containerd.sock", *self.options,
            stdin=self._socket.fileno(),
        )  # fmt: skip
        # The socket takes whoever comes, so only the engine's end says that none will answer.
        asked = self._spawn("docker", "--host", self.host, "version")
        try:
            wait_until(lambda: asked.poll() is not None or self._engine_ended())
            assert asked.poll() == 0, (self.folder / "log").read_text(errors="replace")[-2000:]
        finally:
            asked.kill()
            asked.wait()

    def _engine_ended(self) -> bool:
        return self._engine is None or self._engine.poll() is not None

    def _spawn(
        self, *command: str | Path, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=stdin, stdout=log, stderr=log, start_new_session=True
            )

    def hold(self, image: str) -> None:
        """Take an image over from the engine of this machine."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(
                ["docker", "--host", self.host, "load"],
                stdin=saved.stdout, check=True, capture_output=True, timeout=300,
            )  # fmt: skip

    def end(self, number: signal.Signals) -> None:
        """Send a signal, and wait for the end: SIGTERM is an orderly stop, SIGKILL a crash."""
        if self._engine is not None:
            self._engine.send_signal(number)
            self._engine.wait(60)

    def go_away(self) -> None:
        """Crash for good: not even the socket stays."""
        self.end(signal.SIGKILL)
        self._socket.close()

    def clear(self) -> None:
        """End whatever was started for this engine, and leave nothing."""
        self.go_away()
        if self._containerd is not None:
            self._delete_containers()
            self._containerd.kill()
            self._containerd.wait()
        for pid in self._started():  # shims outlive what started them
            for one in (*children_of(pid), pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
        wait_until(lambda: not self._started())
        for line in Path("/proc/self/mountinfo").read_text().splitlines()[::-1]:
            mount = Path(line.split()[4])
            if mount.is_relative_to(self.folder):
                subprocess.run(["umount", "--lazy", mount], check=False)
        self.folder.rmdir()

    def _delete_containers(self) -> None:
        """Only their containerd still knows of the cgroups of those that outlived the engine."""
        if there := self._tasks("list", "-q").stdout.decode().split():
            self._tasks("delete", "--force", *there)

    def _tasks(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        address = str(self.folder / "containerd.sock")
        command = ["ctr", "--address", address, "--namespace", "moby", "tasks", *words]
        return subprocess.run(command, capture_output=True, check=False, timeout=300)

    def _started(self) -> list[int]:
        """Return the ids of the processes that were started with a path of this engine."""
        found = []
        for words in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if f"{self.folder}/".encode() in words.read_bytes():
                    found.append(int(words.parent.name))
        return found


@contextmanager
def own_engine(*options: str) -> Iterator[OwnEngine]:
    """An engine that runs while the block lasts, with these options."""
    folder = Path(tempfile.mkdtemp(prefix="sb-", dir="/tmp"))  # its path must be short
    engine = OwnEngine(folder, options)
    try:
        engine.make()
        engine.start()
        yield engine
    finally:
        engine.clear()

"""A PostgreSQL of the center's own, for its Prefect server: made, run, asked.

It lies in `standing/postgresql` below the center's home. It listens at a socket there and at no
port, and the kernel tells it who calls (`peer`), so that there is no password. PostgreSQL does not
run as root: of a center of root it runs as a user who often cannot reach the home.
Therefore the folder is mounted at `/mnt`, in a mount namespace that the server alone has.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

from builders.core.errors import InfrastructureError
from pipelines.center.center import Center
from pipelines.storage.files import held

_INSTALLED = Path("/usr/lib/postgresql")
"""Where Debian has every version's programs: `<version>/bin`."""
_USERS = ("samebits-postgres", "postgres")
"""Whom it may run as, for root: a user of its own if there is one, else Debian's, who may also have
other databases. Whoever is that user can change what Prefect runs."""
_ROLE, _PORT = "prefect", 5432
_MOUNTED = Path("/mnt")
_MAX_SOCKET = 107
"""Bytes of the path of a Unix socket."""
_BIND = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
    "log_min_messages": "log",  # not the errors of its clients: those have logs of their own
}
_INIT_SECONDS, _LOOK_SECONDS, _END_SECONDS = 120, 5, 5
WITHOUT = "`prefect: {database: sqlite}` in the center's file goes without PostgreSQL"


def newest_programs() -> Path | None:
    """Return the folder of the programs of the newest PostgreSQL, or None where there is none."""
    found = [path.parent for path in _INSTALLED.glob("*/bin/initdb") if _version(path).isdigit()]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    elsewhere = shutil.which("initdb")  # not Debian
    return None if elsewhere is None else Path(elsewhere).resolve().parent


def made_by(center: Center) -> str | None:
    """Return the major version that made the center's database; None where there is none."""
    try:
        return (folder(center) / "data" / "PG_VERSION").read_text().strip()
    except OSError:
        return None


def programs_of(center: Center, version: str) -> Path:
    """Return the folder of the programs of a version; raises `InfrastructureError`."""
    programs = _INSTALLED / version / "bin"
    if (programs / "postgres").exists():
        return programs
    newest = newest_programs()
    if newest is not None and not newest.is_relative_to(_INSTALLED):
        return newest  # it says itself what it cannot read
    raise InfrastructureError(
        f"the database of center {center.id} needs PostgreSQL {version}",
        got="none" if newest is None else f"version {newest.parent.name} alone",
        todo=f"Install postgresql-{version}; or move {folder(center)} away: a new one is made, and "
        "nothing is lost but Prefect's history of flow runs",
    )


def hindrance(center: Center) -> str | None:
    """Return why a PostgreSQL that is installed could not be used; None where it could."""
    socket = folder(center) / f".s.PGSQL.{_PORT}"
    if len(os.fsencode(socket)) > _MAX_SOCKET:
        return f"the path of its socket would have more than {_MAX_SOCKET} bytes: {socket}"
    if os.geteuid() == 0 and not _known_users():
        return f"there is no user {' or '.join(_USERS)}"
    return None


def folder(center: Center) -> Path:
    """Return the folder of the center's own PostgreSQL: its socket, and `data`."""
    return center.home / "standing" / "postgresql"


def own_url(center: Center) -> str:
    """Return the URL by which Prefect's server reaches the center's own PostgreSQL."""
    where = urlencode({"host": str(folder(center)), "port": _PORT})
    return f"postgresql+asyncpg://{_ROLE}@/postgres?{where}"


def accepts(center: Center, programs: Path) -> bool:
    """Say whether the center's own PostgreSQL takes connections."""
    command = [str(programs / "pg_isready"), "--quiet", "--host", str(folder(center))]
    try:
        done = subprocess.run(
            [*command, "--username", _ROLE, "--dbname", "postgres"],
            capture_output=True,
            timeout=_LOOK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def prepare(center: Center, programs: Path) -> list[str]:
    """Make the database if there is none, and return the command that runs it in the foreground.

    Raises `InfrastructureError` when it cannot be made.
    """
    try:
        with held(folder(center).with_suffix(".lock")):
            _make(center, programs)
            _forget_dead(folder(center) / "data")
    except OSError as error:
        raise InfrastructureError(
            "the center's database cannot be made",
            got=f"{error.strerror}: {error.filename}",
            todo=f"See {folder(center)}; {WITHOUT}",
        ) from error
    inside = _inside(center)
    settings = {**_SETTINGS, "unix_socket_directories": str(inside), "port": str(_PORT)}
    return [
        *_as_its_user(center),
        *(str(programs / "postgres"), "-D", str(inside / "data")),
        *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
    ]


def _make(center: Center, programs: Path) -> None:
    """Make the cluster in a folder that gets its name when it is whole."""
    place = folder(center)
    data, new = place / "data", place / "new"
    if data.exists():
        return
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() == 0 and place.stat().st_uid == 0:
        user = _known_users()[0]
        shutil.chown(place, user, pwd.getpwnam(user).pw_gid)
    shutil.rmtree(new, ignore_errors=True)
    command = [
        *_as_its_user(center),
        *(str(programs / "initdb"), "--pgdata", str(_inside(center) / "new")),
        *("--username", _ROLE, "--auth", "peer", "--encoding", "UTF8", "--locale", "C.UTF-8"),
    ]
    try:
        done = subprocess.run(
            command,
            env={"PATH": os.environ.get("PATH", "")},
            capture_output=True,
            text=True,
            timeout=_INIT_SECONDS,
            check=False,
        )
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] if done.returncode else []
    except subprocess.TimeoutExpired:
        said = [f"no end within {_INIT_SECONDS} s"]
    if said or not (new / "PG_VERSION").exists():
        raise InfrastructureError(
            "the center's database cannot be made",
            got="".join(said)[:300] or "initdb says nothing",
            todo=f"Repair PostgreSQL ({programs}) and free disk space; {WITHOUT}",
        )
    callers = dict.fromkeys([getpass.getuser(), place.owner()])
    (new / "pg_hba.conf").write_text("local all all peer map=center\n")
    (new / "pg_ident.conf").write_text("".join(f"center {who} {_ROLE}\n" for who in callers))
    new.rename(data)


def _forget_dead(data: Path) -> None:
    """Remove the pid files of a PostgreSQL that was killed: something else may have the pid by now.

    PostgreSQL would take that for itself. Its own processes work in the data folder, all of them,
    so as long as one does the files stay.
    """
    left = (data / "postmaster.pid", data.parent / f".s.PGSQL.{_PORT}.lock")
    until = time.monotonic() + _END_SECONDS
    while any(file.exists() for file in left):
        if not _is_worked_in(data):
            for file in left:
                file.unlink(missing_ok=True)
        elif time.monotonic() > until:
            return  # PostgreSQL says that it runs
        else:
            time.sleep(0.1)


def _is_worked_in(data: Path) -> bool:
    """Say whether the working folder of any process that can be looked at is `data`."""
    for folder_of in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it has ended, or is of another user
            if folder_of.samefile(data):
                return True
    return False


def _as_its_user(center: Center) -> list[str]:
    """Return the words before a command that makes it run as the owner of the folder."""
    if os.geteuid() != 0:
        return []
    owner = folder(center).stat()
    return [
        *("unshare", "--mount", "--propagation", "slave", "--"),
        *("sh", "-c", _BIND, "sh", str(folder(center)), str(_MOUNTED)),
        *("setpriv", "--reuid", str(owner.st_uid), "--regid", str(owner.st_gid)),
        *("--clear-groups", "--no-new-privs", "--"),
    ]


def _known_users() -> list[str]:
    """Return those of `_USERS` that this machine has."""
    there = {user.pw_name for user in pwd.getpwall()}
    return [name for name in _USERS if name in there]


def _inside(center: Center) -> Path:
    """Return the folder as PostgreSQL sees it."""
    return _MOUNTED if os.geteuid() == 0 else folder(center)


def _version(initdb: Path) -> str:
    return initdb.parent.parent.name

"""Build the library of the declared clock: in a locked image, without network, once per vault."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from builders.container.spec import ContainerLimits, EndReason, RunLabels
from builders.core.digest import Digest, digest_file
from builders.core.errors import CancelledError, ImageMismatchError, InfrastructureError
from builders.core.runid import new_run_id
from builders.engine import Engine
from builders.images.catalogue import ImageCatalogue
from builders.images.provide import ensure_image
from builders.inputs.fetching import FetchProgress, no_progress
from builders.inputs.vault import Vault
from builders.methods.method import CONTROL, OUTPUTS, launcher_bytes
from builders.preload.preload_lock import PreloadLock, preload_lock, sources, sources_digest
from builders.rebuild.plan import LIBRARY, Plan
from builders.rebuild.staging import prepared_attempt

COMPILER = (
    *("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"),
    *("-fno-builtin", "-fno-stack-protector"),
    *("-fPIC", "-fvisibility=hidden", "-nostdlib", "-shared", "-s"),
    *("-Wl,--build-id=none", "-Wl,-z,relro", "-Wl,-z,now"),
)
_LIMITS = ContainerLimits(cpus=1, memory=512 << 20, pids=64, seconds=120)
_building = threading.Lock()


def provide_library(
    images: ImageCatalogue,
    engine: Engine,
    vault: Vault,
    workdir: Path,
    *,
    labels: RunLabels | None = None,
    cancelled: threading.Event | None = None,
    progress: FetchProgress = no_progress,
) -> Digest:
    """Make sure that the vault holds the locked library, and return its digest.

    It is built if the vault lacks it, which takes about two seconds and the time for the image.
    `labels` are those of the run that needs it. Raises `ImageMismatchError` if its digest is not
    the locked one, and what `ensure_image` raises.
    """
    lock = preload_lock()
    with _building:
        if not vault.has(lock.library):
            workdir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=workdir, prefix="clock-") as folder:
                progress(0, 0, "building the declared clock")
                built = compile_library(
                    lock,
                    images,
                    engine,
                    vault,
                    Path(folder),
                    labels=labels,
                    cancelled=cancelled,
                    progress=progress,
                )
                check_library(built, lock, images)
                vault.add(built, lock.library, what="the declared clock")
    return lock.library


def compile_library(
    lock: PreloadLock,
    images: ImageCatalogue,
    engine: Engine,
    vault: Vault,
    folder: Path,
    *,
    labels: RunLabels | None = None,
    cancelled: threading.Event | None = None,
    progress: FetchProgress = no_progress,
) -> Path:
    """Compile the library in the image of the lock, and return it as a file in `folder`.

    Its digest is not checked. Raises `InfrastructureError` if the compiler fails.
    """
    image = ensure_image(lock.image, images, engine, folder, progress)
    texts = sources()
    plan = Plan(
        command=(
            *("/bin/sh", f"{CONTROL}/launch.sh", "022", *COMPILER),
            *("-o", f"{OUTPUTS}/{LIBRARY}", *(f"{CONTROL}/{name}" for name in texts)),
        ),
        environment={"HOME": "/tmp/home", "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},  # noqa: S108
        hostname="builder",
        path="/build/clock",
        limits=_LIMITS,
        control={"launch.sh": launcher_bytes(), **texts},
        scratch=32 << 20,
    )
    with prepared_attempt(
        plan,
        (),
        image=image.reference,
        vault=vault,
        folder=folder / "attempt",
        labels=labels or RunLabels(run=new_run_id(), center="local"),
    ) as (spec, mount):
        log = folder / "build.log"
        event = cancelled or threading.Event()
        result = engine.run(spec, log=log, cancelled=event, scratch=mount)
        if result.ended is EndReason.CANCELLED:
            raise CancelledError("the run was cancelled")
        if result.ended is not EndReason.EXITED or result.exit_code != 0:
            raise InfrastructureError(
                "the declared clock cannot be built",
                got=log.read_text(errors="replace").strip()[-300:] or result.ended,
                todo=f"Builder image {lock.image} must have gcc and the headers of the C library",
            )
        built = folder / LIBRARY
        built.write_bytes((mount / "out" / LIBRARY).read_bytes())
    return built


def check_library(built: Path, lock: PreloadLock, images: ImageCatalogue) -> None:
    """Compare a library with its lock; raises `ImageMismatchError`."""
    got = digest_file(built)
    if got == lock.library:
        return
    causes = {
        f"image {lock.image}": images.lock(lock.image).image.config != lock.config,
        "its sources": sources_digest() != lock.sources,
    }
    other = ", ".join(cause for cause, differs in causes.items() if differs)
    raise ImageMismatchError(
        "the declared clock built here is another library",
        got=f"sha256 {got}",
        expected=lock.library,
        todo=f"Not as in the lock: {other or 'nothing that is known'}. Do not use it before the "
        "reason is known",
    )

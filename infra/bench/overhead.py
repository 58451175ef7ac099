"""A verification beside a bare `docker run` of the same build steps, in turn.

Timed in each round are the bare container, the verification in this process, the flow, the command
`samebits verify` as a whole process, of this checkout and of earlier commits, and the bare
container once more. What the second costs above the bare ones is samebits' own share; what the
third costs above the second is Prefect's. Each commit has a home of its own.

A machine becomes slower and faster by several percent within minutes. So what is between the two
bare containers, whose mean counts, is timed in one order and in the other by turns.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from builders.container.spec import BUILDER
from builders.core.enums import Outcome
from builders.core.errors import EngineError, InfrastructureError
from builders.rebuild.lint import check_recipes
from builders.rebuild.plan import make_plan
from builders.rebuild.staging import stage_control, stage_inputs
from builders.recipe.claim import recipe_script
from infra.bench.commits import HERE, files_of
from infra.bench.show import spread
from infra.bench.startup import Started, Tree
from pipelines.center.file import recipes_folder
from pipelines.flows.server import EmbeddedServer
from pipelines.verify import steps
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for, verify_recipe

_DEFAULT = ("debian/libsodium/1.0.18-1+deb13u1.yaml", "debian/netbase/6.5.yaml")


class _Quiet:
    """Shows nothing: a benchmark prints figures alone."""

    def step(self, release: str, step: str) -> None:
        """Show nothing."""

    def detail(self, release: str, text: str) -> None:
        """Show nothing."""

    def done(self, release: str, text: str) -> None:
        """Show nothing."""


_IN_PROCESS, _AS_FLOW = "in process", "as a flow"
"""Names of what is timed beside commands, whose names are those of commits and have no blank."""
_Round = tuple[float, dict[str, Started]]
"""Seconds of the bare container; the verification, the flow, and the command by commit."""


def measure(
    recipes: tuple[Path, ...], session: Session, *, pairs: int, against: Sequence[str] = ()
) -> dict[str, Any]:
    """Return seconds and ratios of every recipe, and the start-up apart.

    `against` holds commits whose command is timed too. Raises `UsageError` for an unknown one.
    """
    with tempfile.TemporaryDirectory(prefix="samebits-bench-") as name:
        trees = [_tree(Path(name), commit) for commit in (HERE, *against)]
        return _measure(recipes, session, trees, pairs)


def _tree(folder: Path, commit: str) -> Tree:
    """Return the files of a commit, and a home with its recipes."""
    home, files = folder / f"home-{commit.replace('/', '-')}", files_of(commit, folder)
    shutil.copytree(recipes_folder() if commit == HERE else files / "recipes", home / "recipes")
    tree = Tree(name=commit, folder=files, home=home)
    tree.run(("center", "init"))
    return tree


def _measure(
    recipes: tuple[Path, ...], session: Session, trees: Sequence[Tree], pairs: int
) -> dict[str, Any]:
    paths = recipes or tuple(recipes_folder() / "releases" / name for name in _DEFAULT)
    check_recipes(paths, session.images)
    session.progress = _Quiet()
    begin = time.perf_counter()
    with EmbeddedServer(session.center.home / "prefect") as server:
        from pipelines.flows.verify_release import flow_in

        imported = time.perf_counter()
        server.wait()
        verify_release = flow_in(session)
        answering = time.perf_counter()
        releases = {}
        for path in paths:
            rounds = []
            for number in range(pairs + 1):
                one = _round(path, session, verify_release, trees, backward=number % 2 == 0)
                if number:  # the first round warms caches, vaults and images
                    rounds.append(one)
            releases[path.parent.name] = _figures(rounds, [tree.name for tree in trees])
    return {
        "pairs": pairs,
        "startup_seconds": {
            "imports": round(imported - begin, 3),
            "prefect_answers": round(answering - begin, 3),
        },
        "releases": releases,
    }


def _round(
    path: Path,
    session: Session,
    flow: Callable[[str], object],
    trees: Sequence[Tree],
    *,
    backward: bool,
) -> _Round:
    """Time everything once, and the bare container twice; `backward` is the order between these."""
    runs: dict[str, Callable[[], Started]] = {
        _IN_PROCESS: partial(_timed, partial(verify_recipe, session, path)),
        _AS_FLOW: partial(_timed, partial(flow, str(path))),
        **{tree.name: partial(_timed_command, path, tree) for tree in trees},
    }
    before = _bare(path, session)
    found = {name: runs[name]() for name in ([*runs][::-1] if backward else runs)}
    return (before + _bare(path, session)) / 2, found


def _timed(run: Callable[[], object]) -> Started:
    start, busy = time.perf_counter(), time.process_time()
    run()
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    return Started(seconds=seconds, cpu=cpu, code=0)


def _figures(rounds: list[_Round], commits: Sequence[str]) -> dict[str, Any]:
    bare = [seconds for seconds, _ in rounds]
    plain, flow = ([run[name].seconds for _, run in rounds] for name in (_IN_PROCESS, _AS_FLOW))
    return {
        "bare_seconds": spread(bare),
        "verify_seconds": spread(plain),
        "flow_seconds": spread(flow),
        "flow_to_bare_ratio": _ratio(bare, flow),
        "flow_above_bare_seconds": _above(bare, flow),
        "own_share_seconds": _above(bare, plain),
        "prefect_share_seconds": _above(plain, flow),
        "commands": {name: _command_figures(rounds, name) for name in commits},
    }


def _above(low: Iterable[float], high: Iterable[float]) -> float:
    return round(median(h - one for one, h in zip(low, high, strict=True)), 3)


def _ratio(low: Iterable[float], high: Iterable[float]) -> float:
    return round(median(h / one for one, h in zip(low, high, strict=True)), 3)


def _command_figures(rounds: list[_Round], commit: str) -> dict[str, Any]:
    bare, done = [seconds for seconds, _ in rounds], [run[commit] for _, run in rounds]
    seconds = [one.seconds for one in done]
    return {
        "seconds": spread(seconds),
        "cpu_seconds": spread([one.cpu for one in done]),
        "to_bare_ratio": _ratio(bare, seconds),
        "above_bare_seconds": _above(bare, seconds),
    }


def _timed_command(path: Path, tree: Tree) -> Started:
    """Time `samebits verify` of a commit as a whole process, by its own recipe if it has one."""
    given, folder = path.resolve(), recipes_folder().resolve()
    if given.is_relative_to(folder):
        given = tree.home / "recipes" / given.relative_to(folder)
    done = tree.run(("verify", str(given)))
    if done.code not in {0, 1}:
        raise InfrastructureError(f"samebits verify of {tree.name} failed", got=f"exit {done.code}")
    return done


def _bare(path: Path, session: Session) -> float:
    """Run the build steps in a plain container with plain folders, and return its seconds."""
    with (
        job_for(session, path) as job,
        tempfile.TemporaryDirectory(prefix="samebits-bench-") as name,
    ):
        return _bare_run(session, job, Path(name))


def _bare_run(session: Session, job: Job, folder: Path) -> float:
    loaded = job.loaded
    inputs = steps.fetch_inputs(session, job)
    image = steps.provide_image(session, job)
    plan = make_plan(loaded, inputs, script=recipe_script(loaded), cores=session.engine.info().cpus)
    stage_control(plan, session.vault, folder / "control")
    stage_inputs(inputs, session.vault, folder / "inputs")
    writable = {plan.path: "work", "/out": "out", "/tmp": "tmp"}  # noqa: S108
    command = ["docker", "run", "--rm", "--network", "none", "--hostname", plan.hostname]
    command += ["--user", f"{BUILDER}", "--workdir", plan.path]
    for name, value in plan.environment.items():
        command += ["--env", f"{name}={value}"]
    for target, name in (("/samebits", "control"), ("/inputs", "inputs")):
        command += ["--volume", f"{folder / name}:{target}:ro"]
    for target, name in writable.items():
        (folder / name).mkdir()
        shutil.chown(folder / name, BUILDER.uid, BUILDER.gid)
        command += ["--volume", f"{folder / name}:{target}"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, image.reference, *plan.command[3:]], capture_output=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise EngineError(
            "the bare build failed",
            got=done.stderr.decode(errors="replace")[-300:],
            expected=Outcome.BUILT,
        )
    return seconds

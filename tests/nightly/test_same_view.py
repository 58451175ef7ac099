"""What a build sees: nothing in it says which run it is, of what center, or why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from builders.images.provide import ProvidedImage
from builders.rebuild.staging import OUTPUTS
from pipelines.evidence.report import Purpose
from pipelines.nightly.release_task import rebuild_elsewhere
from pipelines.verify import steps
from pipelines.verify.session import Job, Session
from pipelines.verify.verify import job_for
from tests.lab import write_recipe

CENTER = "zurich-07"
VIEW = r"""
mkdir -p /tmp/many && seq -f '/tmp/many/%g' 40 | xargs touch
part() { printf '== %s\n' "$1"; shift; "$@" 2>&1; printf '\n'; }
words() { tr '\0' ' ' < "$1"; }
limits() { find /sys/fs/cgroup -name '*limit_in_bytes' -o -name 'cpu*.cfs_*' -o -name '*.max' \
    -o -name cpuset.cpus | sort | while read -r f; do echo "$f $(cat "$f")"; done; }
{
part space stat -f -c '%n %S %b %f %c %d' /samebits /inputs /out /tmp /dev/shm
part env env
part mountinfo cat /proc/self/mountinfo
part mounts cat /proc/mounts
part cgroup cat /proc/self/cgroup
part status cat /proc/self/status
part limits limits
part ulimit cat /proc/self/limits
part first words /proc/1/cmdline
part own words /proc/self/cmdline
part environ words /proc/self/environ
part stat stat -c '%n %a %u %g %h %s %b %F %t:%T' \
    / /dev/* /etc/* /samebits/* /inputs/*/* /out /tmp /build/*
part loops sh -c 'cat /sys/block/loop*/loop/backing_file'
part names cat /etc/hosts /etc/hostname /etc/resolv.conf /proc/sys/kernel/domainname
part uname uname -n
part user id
part cores nproc
part zone date +%Z
part network cat /proc/net/dev
part order ls -U /samebits /inputs /tmp/many
part scores cat /proc/1/oom_score_adj /proc/self/oom_score_adj
part namespace readlink /proc/self/ns/user
} > /out/out.bin
"""
MOVED = {
    "hostname": {"env HOSTNAME", "names 7", "stat /etc/hostname", "uname 1"},
    "user": {
        *("user 1", "status Uid", "status Gid", "status Groups"),
        *("stat /out", "stat /tmp", "stat /build/reproducible-path"),
    },
    "cores": {
        *("env CORES", "cores 1", "status Cpus_allowed", "status Cpus_allowed_list"),
        *("limits cpu.cfs_quota_us", "limits cpu.max", "limits cpuset.cpus"),
    },
    "folder-order": {"order"},
    "timezone": {"env TZ", "zone 1"},
    "locale": {"env LC_ALL"},
}
"""The fields of a view that each factor may change."""
NOISE = re.compile(r"status (Vm|Rss|\w*ctxt|Pid|NSpid|Tgid|NStgid|PPid|NSpgid|SigQ)|loops|environ")


class View:
    """What one build has printed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.fields = {k: v for k, v in _fields(text) if not NOISE.match(k)}

    def differing(self, judged: list[View]) -> set[str]:
        """Return the fields that are as in no judged rebuild, and equal in these."""
        names = self.fields.keys() | judged[0].fields.keys()
        seen = {name: {view.fields.get(name) for view in judged} for name in names}
        return {n for n in names if len(seen[n]) == 1 and self.fields.get(n) not in seen[n]}


def _fields(text: str) -> Iterator[tuple[str, str]]:
    for section in re.split("^== ", text, flags=re.MULTILINE)[1:]:
        name, *lines = section.rstrip("\n").split("\n")
        for number, line in enumerate(lines, 1):
            words = line.split()
            match name:
                case "env":
                    yield f"env {line.partition('=')[0]}", line
                case "mountinfo":  # without the numbers of mounts and devices
                    value = " ".join([words[3], *words[5:]])
                    yield f"mount {words[4]}", re.sub(r"/dev/loop\d+", "/dev/loop", value)
                case "mounts":
                    yield f"mounts {words[1]}", re.sub(r"/dev/loop\d+", "/dev/loop", line)
                case "status":
                    yield f"status {line.partition(':')[0]}", line
                case "stat" | "space":
                    yield f"{name} {words[0]}", line
                case "limits":
                    yield f"limits {Path(words[0]).name}", words[-1]
                case "order":
                    yield "order", section
                case _:
                    yield f"{name} {number}", line


@contextmanager
def run_of(session: Session, folder: Path) -> Iterator[Job]:
    with job_for(session, write_recipe(folder, [["sh", "-c", VIEW]])) as job:
        yield job


def view_of(session: Session, job: Job, purpose: Purpose) -> View:
    inputs, image = steps.fetch_inputs(session, job), steps.provide_image(session, job)
    made = steps.run_rebuild(session, job, inputs, image, purpose)
    path = job.attempt(made.number) / OUTPUTS / "out.bin"
    return View(path.read_text(errors="replace"))


def test_a_build_cannot_tell_which_run_it_is_of_what_center_or_why(
    session: Session, build_image: ProvidedImage, tmp_path: Path
) -> None:
    update = {"id": CENTER, "home": tmp_path / CENTER}
    judged, runs = list[View](), list[str]()
    with Session(session.center.model_copy(update=update)) as own:
        for _ in range(2):
            with run_of(own, tmp_path / "recipe") as job:
                judged.append(view_of(own, job, Purpose.JUDGED))
                runs.append(job.run)
        with run_of(own, tmp_path / "recipe") as job:
            judged.append(view_of(own, job, Purpose.JUDGED))
            runs.append(job.run)
            confirming = view_of(own, job, Purpose.CONFIRMING)
            again = rebuild_elsewhere(own, job)
            moved = View((job.folder / "moved" / OUTPUTS / "out.bin").read_text())
    assert len(confirming.fields) > 100
    for view in (*judged, confirming, moved):
        assert [word for word in (*runs, CENTER, str(tmp_path)) if word in view.text] == []
        assert "attempt" not in str(view.fields)
        assert "Seccomp:\t2" in view.text
    assert confirming.differing(judged) == set()
    _assert_moved_alone(moved.differing(judged), {one.factor: one for one in again.moved})


def _assert_moved_alone(differing: set[str], factors: Mapping[str, object]) -> None:
    """Only what a factor moves differs, and each factor is seen."""
    assert differing <= set[str]().union(*(MOVED[factor] for factor in factors))
    assert [factor for factor in factors if not MOVED[factor] & differing] == []

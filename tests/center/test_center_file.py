"""The file of a center: what it gives, and what is refused, with the line and the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders.core.errors import UsageError
from pipelines.center.center import Center, load_center
from pipelines.center.file import parse_cron

CENTERS = Path(__file__).parents[2] / "infra/centers"


def center(folder: Path, **sections: Any) -> Center:
    path = folder / "center.yaml"
    path.write_text(json.dumps({"schema": "samebits/center/v1", "id": "lab", **sections}, indent=1))
    return load_center(path)


def test_a_small_file_gives_a_whole_center(tmp_path: Path) -> None:
    mine = center(tmp_path, home="home", prefect={"port": 4801})
    assert mine.prefect is not None
    assert mine.prefect.url == "http://127.0.0.1:4801/api"
    assert mine.prefect.auth == tmp_path / "home/standing/auth"
    assert (mine.pool, mine.workers, mine.night.cron) == ("lab", 1, "0 1 * * *")
    assert mine.file == tmp_path / "center.yaml"


def test_everything_is_read_relative_to_the_file(tmp_path: Path) -> None:
    mine = center(
        tmp_path,
        recipes="recipes", pool="north", workers=3, engine="unix:///run/engine.sock",
        peers=[{"id": "asia", "store": "../asia"}, {"id": "south", "store": "s3://south/public"}],
        prefect={"port": 4801, "database_file": "db", "auth": "auth"},
        night={"cron": "30 23 * * 1-5", "timezone": "Asia/Tokyo", "robustness_share": 0.25},
        limits={"concurrency": 2, "memory": "6GiB"}, portal="pages",
    )  # fmt: skip
    assert mine.portal == tmp_path / "pages"
    assert mine.recipes == tmp_path / "recipes"
    assert mine.peers[0].store == tmp_path / "../asia"
    assert str(mine.peers[1].store) == "s3://south/public"
    assert mine.prefect is not None
    assert (mine.prefect.database_file, mine.prefect.auth) == (tmp_path / "db", tmp_path / "auth")
    assert (mine.limits.memory, mine.pool) == (6 << 30, "north")
    assert hash(mine) == hash(load_center(mine.file)), "the clients of a center are kept by it"


def test_a_portal_has_a_place_of_its_own_or_none(tmp_path: Path) -> None:
    assert center(tmp_path).portal is None
    assert str(center(tmp_path, portal="s3://pages/of/ours").portal) == "s3://pages/of/ours"


@pytest.mark.parametrize("path", sorted(CENTERS.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_centers_of_the_project_can_be_read_and_stand_side_by_side(path: Path) -> None:
    mine = load_center(path)
    others = [load_center(other) for other in CENTERS.glob("*.yaml") if other != path]
    assert mine.id == path.stem
    assert {peer.id: peer.store for peer in mine.peers} == {o.id: o.store for o in others}
    for other in others:
        assert mine.prefect != other.prefect
        assert {mine.home, mine.store}.isdisjoint({other.home, other.store})
        assert mine.operator != other.operator


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"nonsense": 1}, "nonsense: unknown key"),
        ({"prefect": {}}, "expected one of: api"),
        ({"prefect": {"port": 4801, "api": "http://x/api"}}, "expected one of: api"),
        ({"prefect": {"port": 80}}, "prefect.port: expected greater than or equal to 1024"),
        ({"prefect": {"api": "http://user:word@host/api"}}, "prefect.api"),
        ({"prefect": {"api": "http://host/api", "database_file": "x"}}, "not the center's own"),
        ({"prefect": {"port": 4801, "database": "mysql://x"}}, "expected sqlite or postgresql"),
        (
            {"prefect": {"port": 4801, "database": "postgresql+asyncpg://a:b@h/x"}},
            "a password does not belong here",
        ),
        ({"night": {"cron": "0 1 * *"}}, "expected five fields of cron"),
        ({"night": {"cron": "61 1 * * *"}}, "expected a minute of 0 to 59"),
        ({"night": {"cron": "0 1 * * MON"}}, "expected a weekday of 0 to 7"),
        ({"night": {"timezone": "Mars/Olympus"}}, "expected a time zone such as"),
        ({"night": {"timezone": "../../etc/passwd"}}, "expected a time zone such as"),
        ({"night": {"robustness_share": 1.5}}, "less than or equal to 1"),
        ({"night": {"shard": 0}}, "greater than or equal to 1"),
        ({"limits": {"memory": "6"}}, "expected a size such as"),
        ({"limits": {"memory": "1MiB"}}, "expected between 256MiB and 64TiB"),
        ({"workers": 0}, "greater than or equal to 1"),
        ({"engine": "/run/docker.sock"}, "engine"),
        ({"peers": [{"id": "asia"}]}, "peers.0.store: missing field"),
        ({"peers": [{"id": "lab", "store": "x"}]}, "got lab twice"),
        ({"peers": [{"id": "a", "store": "x"}, {"id": "a", "store": "y"}]}, "got a twice"),
        ({"peers": [{"id": "a", "store": "s3://"}]}, "not the address of a store"),
        ({"pool": "two words"}, "pool: expected at most 63 lower-case letters"),
        ({"operator": "Europe Trust GmbH"}, "digits and hyphens, as in europe-trust"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_what_is_wrong_is_named(tmp_path: Path, sections: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        center(tmp_path, **sections)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["* * * * *", "*/5 0-6 1,15 * 1-5", "0-30/10 23 31 12 7", "  0   1 * * *  "]
)
def test_what_cron_takes(text: str) -> None:
    assert parse_cron(text) == " ".join(text.split())


@pytest.mark.parametrize(
    "text", ["", "@daily", "0 1 * * * *", "5-1 * * * *", "*/0 * * * *", "5/2 * * * *", "0 24 * * *",
             "0 1 0 * *", "0 1 * 13 *", "0 1 * * 8", ", 1 * * *", "-1 1 * * *"],
)  # fmt: skip
def test_what_cron_does_not_take(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_cron(text)


def test_a_slip_points_to_examples_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        center(tmp_path, id="Not A Name")
    assert error.value.todo == "infra/centers has examples of such a file"

"""`samebits review` and `samebits vault add`, as people use them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from builders.images.provide import ProvidedImage
from pipelines.cli.review import approve
from pipelines.evidence.privatekey import create_key
from pipelines.evidence.publickey import read_public_key
from pipelines.verify import review_subject
from pipelines.verify.review_subject import ReviewSubject
from tests.command import Ended, samebits
from tests.lab import write_recipe
from tests.policy.world import ALPHA, draft, signed_bytes, signed_file

DATA = Path(__file__).parents[2] / "data" / "reviews"


class Office:
    """A center with a policy of two, and the keys of three people."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.file = folder / "center.yaml"
        for name in ("ada", "bob", "eve"):
            create_key(folder, name)
        self.sign_policy()
        self.file.write_text(
            "schema: samebits/center/v1\nid: local\nhome: home\npolicy: policy.dsse.json\n"
        )
        self.recipe = write_recipe(
            folder / "engine", [["sh", "-c", "printf shipped > /out/out.bin"]]
        )

    def sign_policy(self) -> None:
        signed_file(
            self.folder,
            "reviewers:\n  - {name: ada, key: ada.pub}\n  - {name: bob, key: bob.pub}\n"
            "reviews: {minimum: 1}\n",
        )

    def run(self, *words: str | Path, center: bool = False) -> Ended:
        more: list[str | Path] = ["--center", self.file] if center else []
        return samebits(*words, *more, home=self.home)

    def decide(self, word: str, name: str, *more: str) -> Ended:
        return self.run(
            "review", word, self.recipe, "--key", self.folder / f"{name}.key",
            "--reviewer", name, *more, center=True,
        )  # fmt: skip

    def standing(self) -> Any:
        ended = self.run("review", "list", self.recipe, "--json", center=True)
        return ended.code, ended.document()["standing"]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_key_is_private_and_never_replaced(office: Office) -> None:
    key = office.folder / "zoe.key"
    made = office.run("review", "key", "zoe", "--out", key, "--json").document()
    assert read_public_key(Path(made["public"]).read_bytes()).keyid == made["keyid"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    again = office.run("review", "key", "zoe", "--out", key)
    assert again.code == 64
    again.assert_clear()
    assert key.read_bytes() == before


def test_what_is_approved_is_shown_first_and_asked(office: Office) -> None:
    asked = office.decide("approve", "ada")
    assert asked.code == 64, "nobody answered"
    asked.assert_clear()
    assert "Give --yes" in asked.err
    assert "interrupted" not in asked.err
    assert "draft" not in asked.err
    assert "lab/engine@1 (public)" in asked.err
    for word in ("source", "claim", "file:source.c, sha256", "reviewer  ada, key"):
        assert word in asked.err
    assert office.standing()[1]["counted"] == []


def test_a_recipe_that_changes_meanwhile_is_shown_as_it_is_signed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the scope covers is told of the very recipe whose scope is signed."""
    hides = write_recipe(office.recipe.parent, [["true"]], by_products=["*.hidden"])
    real = review_subject.subject_of

    def changed(*words: Any) -> ReviewSubject:
        found = real(*words)
        write_recipe(office.recipe.parent, [["true"]])
        return found

    monkeypatch.setattr(review_subject, "subject_of", changed)
    words = ["--key", str(office.folder / "ada.key"), "--reviewer", "ada", "--yes"]
    ended = CliRunner(env={"SAMEBITS_HOME": str(office.home)}).invoke(
        approve, [str(hides), *words, "--center", str(office.file)]
    )
    assert ended.exit_code == 0, ended.output
    assert "built and not judged: *.hidden" in ended.stderr


def test_approve_list_withdraw(office: Office) -> None:
    made = office.decide("approve", "ada", "--yes", "--json").document()
    (name,) = made["reviews"]
    assert made["not_counted"] is None
    assert name.startswith(f"public/reviews/{made['sources'][0]['source_digest']}/ada-")
    code, standing = office.standing()
    assert (code, [c["reviewer"] for c in standing["counted"]]) == (0, ["ada"])
    assert "no approval" not in office.decide("withdraw", "ada", "--yes").err
    code, standing = office.standing()
    assert (code, standing["counted"]) == (2, [])
    assert {u["why"] for u in standing["not_counted"]} == {"it was withdrawn"}


def test_a_withdrawal_of_nothing_says_so(office: Office) -> None:
    ended = office.decide("withdraw", "ada", "--yes")
    assert ended.code == 0, "the approval may be in another store"
    assert "has no approval of this source by ada with this key" in ended.err


def test_a_draft_is_called_one_before_the_question(office: Office) -> None:
    office.recipe.write_text(f"# draft: inferred\n{office.recipe.read_text()}")
    asked = office.decide("approve", "ada").err
    assert asked.index(f"`samebits recipe lint {office.recipe}`") < asked.index("approve this?")


def test_a_key_that_is_not_there_is_made_by_a_command_for_it(office: Office) -> None:
    ended = office.decide("approve", "nobody", "--yes")
    assert ended.code == 64
    assert "`samebits review key NAME`" in ended.err
    assert "center init" not in ended.err


@pytest.mark.parametrize("policy", [b"no policy", None])
def test_what_was_approved_stays_so_without_a_policy(office: Office, policy: bytes | None) -> None:
    if policy is not None:
        (office.folder / "policy.dsse.json").write_bytes(policy)
        said = "that policy cannot be used"
    else:
        office.file.write_text("schema: samebits/center/v1\nid: local\nhome: home\n")
        said = "its key is not in the policy"
    made = office.decide("approve", "ada", "--yes", "--json")
    assert (made.code, len(made.document()["reviews"])) == (0, 1)
    assert said in made.document()["not_counted"]


def test_a_stranger_does_not_count(office: Office) -> None:
    ended = office.decide("approve", "eve", "--yes", "--json")
    said = "its key is not in the policy; it does once the policy names eve as a reviewer"
    assert said in ended.document()["not_counted"]
    assert said in ended.err
    code, standing = office.standing()
    assert (code, standing["demanded"], standing["counted"]) == (2, 1, [])
    assert standing["not_counted"][0]["why"] == "its key is not in the policy"


def test_reviews_travel_as_files(office: Office, tmp_path: Path) -> None:
    office.decide("approve", "bob", "--yes")
    other = Office(tmp_path / "other")
    (other.folder / "bob.pub").write_bytes((office.folder / "bob.pub").read_bytes())
    other.sign_policy()
    place = office.home / "store" / "public" / "reviews"
    listed = other.run(
        "review", "list", other.recipe, "--from", place, "--json", center=True
    ).document()
    assert [c["reviewer"] for c in listed["standing"]["counted"]] == ["bob"]
    assert other.standing()[1]["counted"] == []
    assert other.run("review", "import", place, center=True).code == 0
    assert [c["reviewer"] for c in other.standing()[1]["counted"]] == ["bob"]


def test_what_is_no_review_is_not_taken_in(office: Office) -> None:
    ended = office.run("review", "import", DATA / "records" / "of-an-attempt.dsse.json")
    assert ended.code == 1
    ended.assert_clear()
    folder = office.run("review", "import", DATA / "records", "--json")
    assert folder.code == 1
    assert all(row["fault"] for row in folder.document()["reviews"])
    assert not (office.home / "store" / "public" / "reviews").exists()


def test_verify_builds_only_what_was_reviewed(office: Office, build_image: ProvidedImage) -> None:
    ended = office.run("verify", office.recipe, "--json", center=True)
    assert ended.code == 2
    (report,) = ended.document()["reports"]
    assert (report["outcome"], report["attempts"]) == ("SOURCE_NOT_REVIEWED", [])
    assert "0 of 1 reviewers: nobody" in report["reason"]
    office.decide("approve", "ada", "--yes")
    ended = office.run("verify", office.recipe, "--json", center=True)
    (report,) = ended.document()["reports"]
    assert (ended.code, report["verdict"]) == (0, "IDENTICAL")
    assert [r["name"] for r in report["environment"]["reviews"]] == ["ada"]
    listed = office.run("review", "list", "lab/engine@1", center=True)
    assert listed.code == 0
    assert "1 reviewer of 1 needed: ada" in listed.out


def test_rebuild_asks_nobody(office: Office, build_image: ProvidedImage, tmp_path: Path) -> None:
    assert office.run("rebuild", office.recipe, "--out", tmp_path / "out", center=True).code == 0


def test_a_broken_policy_is_told_before_anything_is_built(office: Office) -> None:
    policy = office.folder / "policy.dsse.json"
    for data, says in (
        (
            signed_bytes(draft(reviewers=[])),
            "more reviewers with a valid key are required than there are",
        ),
        (signed_bytes(draft(), ALPHA), "not signed by enough of its operators"),
        (b"schema: samebits/policy/v1\n", "samebits policy sign"),
    ):
        policy.write_bytes(data)
        ended = office.run("verify", office.recipe, center=True)
        assert ended.code == 64
        ended.assert_clear()
        assert says in ended.err


def test_a_file_is_added_to_the_vault(office: Office, tmp_path: Path) -> None:
    source = tmp_path / "engine-4.2.tar"
    source.write_bytes(b"closed")
    mistyped = office.run("vault", "add", tmp_path / "engine-4.2.tr")
    assert (mistyped.code, "engine-4.2.tar'?" in mistyped.err) == (64, True)
    made = office.run("vault", "add", source, "--json").document()
    assert made["locator"] == "vault:engine-4.2.tar"
    assert (
        office.home / f"store/private/vault/sha256/{made['sha256'][:2]}/{made['sha256']}"
    ).exists()


def test_a_salt_is_carried_to_another_center(office: Office, tmp_path: Path) -> None:
    carried = tmp_path / "engine.salt"
    assert office.run("review", "salt", "acme/engine@4.2", "--out", carried).code == 0
    assert stat.S_IMODE(carried.stat().st_mode) == 0o600
    again = office.run("review", "salt", "acme/engine@4.2", "--out", carried)
    assert (again.code, "expected a new file" in again.err) == (64, True)
    other = tmp_path / "elsewhere"
    words = ("review", "salt", "acme/engine@4.2")
    ended = samebits(*words, "--import", carried, "--json", home=other)
    assert ended.document() == {"release": "acme/engine@4.2", "file": str(carried)}
    assert carried.read_text().strip() not in ended.out + ended.err
    kept = other / "store/private/salts/acme/engine/4.2"
    assert kept.read_text() == carried.read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["approve"], "Missing"),
        (["approve", "x.yaml", "--key", "x.pem", "--reviewer", "a"], "ends in .key"),
        (["approve", "x.yaml", "--key", "/nowhere/x.key", "--reviewer", "a"], "cannot be used"),
        (["list", "nonsense"], "vendor/product@version"),
        (["list", "/nowhere/recipe.yaml"], "cannot be read"),
        (["list", "--from", "/nowhere"], "cannot be read"),
        (["import", "/nowhere"], "cannot be read"),
        (["salt", "acme/engine@4.2"], "--out or --import"),
        (["salt", "acme/engine@4.2", "--import", "/nowhere"], "cannot be read"),
        (["key", "ada", "--out", "ada.pem"], "ends in .key"),
    ],
)
def test_wrong_words_are_usage_errors(tmp_path: Path, words: list[str], expected: str) -> None:
    ended = samebits("review", *words, home=tmp_path / "home")
    assert ended.code == 64
    assert expected in ended.err
    assert "Traceback" not in ended.err


def test_a_reviewer_needs_a_proper_name(office: Office) -> None:
    ended = office.run(
        "review", "approve", office.recipe, "--key", office.folder / "ada.key",
        "--reviewer", "Ada Lovelace", "--yes", center=True,
    )  # fmt: skip
    assert ended.code == 64
    assert "not the name of a reviewer" in ended.err

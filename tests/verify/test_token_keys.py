"""A center whose keys are all in a PKCS#11 token."""

from __future__ import annotations

from pathlib import Path

from builders.images.provide import ProvidedImage
from pipelines.center.center import load_center
from pipelines.center.keys import center_key, public_keys
from pipelines.log.note import NoteSigner, open_note, sign_note
from tests.command import Ended, samebits
from tests.lab import write_recipe
from tests.softhsm import SoftToken


def test_a_run_signed_by_a_token_checks_offline(
    soft_token: SoftToken, build_image: ProvidedImage, home: Path, tmp_path: Path
) -> None:
    file = soft_token.center_file(tmp_path, "run")
    variables = {"SOFTHSM2_CONF": str(soft_token.configuration)}

    def command(*words: str | Path) -> Ended:
        ended = samebits(*words, "--json", home=home, env=variables)
        assert ended.code == 0, ended.err
        return ended

    made = command("center", "init", "--center", file).document()["keys"]
    assert {use: key.keyid for use, key in public_keys(load_center(file)).items()} == {
        use: made[use]["keyid"] for use in made
    }
    assert [path.name for path in (tmp_path / "home/keys").glob("*.key")] == ["operator.key"]
    recipe = write_recipe(tmp_path / "recipe", [["sh", "-c", "printf shipped > /out/out.bin"]])
    command("verify", recipe, "--center", file)
    bundle, policy = tmp_path / "run.bundle.tar", tmp_path / "home/policy/policy.dsse.json"
    command("evidence", "export", "lab/recipe@1", "--out", bundle, "--center", file)
    checked = samebits("evidence", "check", bundle, "--policy", policy, "--json", home=tmp_path)
    assert checked.code == 0, checked.err
    status = samebits("center", "status", "--json", "--center", file, home=home, env=variables)
    assert status.document()["keys"] == {
        use: f"pkcs11:token=samebits%20test;object=run-{use}" for use in made
    }
    witness = NoteSigner("zurich.example/witness", center_key(load_center(file), "witness"))
    assert open_note(sign_note("a tree\n", witness), [witness.key]).signatures


def test_a_key_in_a_token_is_changed_for_one_that_is_made_there(
    soft_token: SoftToken, tmp_path: Path
) -> None:
    file = soft_token.center_file(tmp_path, "old")
    variables = {"SOFTHSM2_CONF": str(soft_token.configuration)}
    made = samebits("center", "init", "--json", "--center", file, home=tmp_path, env=variables)
    former = made.document()["keys"]["statements"]["keyid"]
    words = ("center", "rotate-key", "statements", "--json", "--center", file)
    ended = samebits(*words, home=tmp_path, env=variables)
    assert ended.code == 64
    assert "with another `public`" in ended.err
    text = file.read_text().replace("old-statements", "new-statements")
    file.write_text(text.replace("public/statements.pub", "public/next.pub"))
    ended = samebits(*words, home=tmp_path, env=variables)
    assert ended.code == 0, ended.err
    changed = ended.document()
    assert changed["former"] == former
    assert changed["key"] == public_keys(load_center(file))["statements"].keyid != former
    assert changed["policy"]["in_force"]

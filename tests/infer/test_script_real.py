"""A vendor's own build, inferred in real containers."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from builders.core.digest import digest_file
from builders.images.provide import ProvidedImage
from builders.recipe.recipe import load_recipe
from pipelines.infer.journal import SearchJournal
from tests.command import samebits
from tests.infer.ownproduct import RELEASE, SHIPPED, VENDOR_MACHINE, Product

pytestmark = pytest.mark.engine


@pytest.fixture
def product(tmp_path: Path, home: Path, build_image: ProvidedImage) -> Product:
    return Product(tmp_path / "acme", home)


def inferred(product: Product, out: Path, *more: str, code: int = 0) -> SearchJournal:
    ended = samebits(*product.words(out, *more), "--json", home=product.home)
    assert ended.code == code, ended.err
    return SearchJournal.model_validate_json(ended.out)


def test_a_build_is_found_with_all_that_its_machine_left_in_it(product: Product) -> None:
    product.build(**VENDOR_MACHINE)
    out = product.folder / "4.2.yaml"
    journal = inferred(product, out, "--private", "--kind", "ruleset")
    assert (journal.status, journal.release) == ("identical", RELEASE)
    assert {scalar.name for scalar in journal.scalars} == VENDOR_MACHINE.keys()
    assert len(journal.tries) <= 4
    assert journal.bits < 300
    loaded = load_recipe(out, unshipped=True)
    assert loaded.recipe.build.declared_environment() == {
        **loaded.recipe.build.declared_environment(),
        **{k: v for k, v in VENDOR_MACHINE.items() if k not in {"clock", "umask"}},
        "clock": {"mode": "frozen", "time": "2026-03-05T06:07:08Z"},
        "umask": "0027",
    }
    assert (loaded.recipe.visibility, loaded.recipe.kind) == ("private", "ruleset")
    assert loaded.recipe.artefacts[0].shipped is None, "it lies elsewhere, and has not shipped"
    linted = samebits("recipe", "lint", out, home=product.home)
    assert "inferred: umask 027 (9 bits): 9 of 9 members" in linted.out
    gate = samebits("verify", "--candidate", product.dist, out, home=product.home)
    assert gate.code == 0, gate.out
    again = inferred(product, product.folder / "again.yaml", "--private", "--kind", "ruleset")
    assert again == journal, "a second call returns what the first one found"


def test_a_build_that_samebits_had_no_part_in_is_found_too(
    product: Product, build_image: ProvidedImage
) -> None:
    product.build_elsewhere(build_image.reference, "/srv/jenkins/ws", "002", "buildbox")
    journal = inferred(product, product.folder / "4.2.yaml")
    assert journal.status == "identical"
    values = {scalar.name: scalar.value for scalar in journal.scalars}
    assert (values["path"], values["hostname"]) == ("/srv/jenkins/ws", "buildbox")
    assert (values["umask"], "clock" in values) == ("002", True)


def test_a_build_that_leaves_no_traces_needs_nothing_declared(product: Product) -> None:
    same = "echo same > engine.txt; touch -d @0 engine.txt; tar --sort=name -cf - engine.txt"
    product.build(f"{same} --owner=0 --group=0 --mode=a=r | gzip -n > /out/{SHIPPED}\n")
    out = product.dist / "4.2.yaml"
    for name in ("build.sh", "engine-4.2.tar"):
        (product.folder / name).rename(product.dist / name)
    product.folder = product.dist
    journal = inferred(product, out)
    assert (len(journal.tries), journal.bits, journal.scalars) == (1, 0, ())
    (artefact,) = load_recipe(out).recipe.artefacts
    assert artefact.published.sha256 == digest_file(product.shipped), "it lies beside the recipe"


def test_a_packing_that_no_build_here_has_is_found_and_declared(product: Product) -> None:
    same = "echo same > engine.txt; touch -d @0 engine.txt; tar --sort=name -cf - engine.txt"
    product.build(f"{same} --owner=0 --group=0 --mode=a=r | gzip -n > /out/{SHIPPED}\n")
    content = gzip.decompress(product.shipped.read_bytes())
    product.shipped.write_bytes(gzip.compress(content, 9, mtime=7))
    out = product.folder / "4.2.yaml"
    journal = inferred(product, out)
    assert (journal.status, len(journal.tries)) == ("identical", 2)
    (scalar,) = journal.scalars
    assert (scalar.name, scalar.bits) == (f"packing of {SHIPPED}", journal.bits)
    packing = load_recipe(out, unshipped=True).recipe.artefacts[0].packing
    assert packing is not None
    system = product.shipped.read_bytes()[9]
    assert str(packing) == scalar.value == f"gzip level 9 OS {system} mtime 7"
    assert f"# inferred packing of {SHIPPED} gzip level 9" in out.read_text()


def test_what_no_environment_explains_is_named(product: Product) -> None:
    product.build(f"cat /proc/sys/kernel/random/uuid > /out/{SHIPPED}; echo x > /out/notes\n")
    out = product.folder / "4.2.yaml"
    journal = inferred(product, out, "--max-tries", "2", code=1)
    assert journal.status == "different"
    causes = {cause.name: cause.detail for cause in journal.causes}
    assert causes["nondeterministic"].startswith(f"{SHIPPED}: two rebuilds differ")
    assert causes["undeclared"].startswith("notes: declare each")
    assert "content" in causes
    assert "NOT IDENTICAL" in out.read_text()


def test_a_release_of_several_files_is_built_by_steps_from_a_source_by_its_digest(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(product.folder)
    for name, text in (("when", "built 2026-03-05T06:07:08Z\n"), ("where", "/opt/ws\n")):
        (product.folder / name).write_text(text)
    added = samebits("vault", "add", "engine-4.2.tar", "--json", home=product.home)
    steps = [
        "sh -c 'date -u +\"built %FT%TZ\" > /out/when'",
        "sh -c 'pwd > /out/where; echo symbols > /out/engine.sym'",
    ]
    given = ["recipe", "new", "--release", "acme/notes@1", "--by-product", "*.sym"]
    given += [word for step in steps for word in ("--step", step)]
    given += ["--source", "vault:engine-4.2.tar"]
    given += ["--source-sha256", str(digest_file(product.folder / "engine-4.2.tar"))]
    ended = samebits(*given, "--from-file", "when", "--from-file", "where", home=product.home)
    assert (added.code, ended.code) == (0, 0), ended.err
    assert "acme/notes@1  identical  when, where" in ended.err
    assert 'by_products: ["*.sym"]' in ended.out
    assert 'locator: "vault:engine-4.2.tar"' in ended.out


def test_a_build_that_fails_says_how(product: Product) -> None:
    product.build()
    script = product.folder / "build.sh"
    script.write_text("#!/bin/sh\necho 'no such compiler: acme-cc' >&2\nexit 3\n")
    journal = inferred(product, product.folder / "4.2.yaml", code=1)
    (cause,) = journal.causes
    assert (journal.status, cause.name) == ("build failed", "build")
    assert "acme-cc" in cause.detail


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--script", "build.sh"], "expected --release, --source and --from-file"),
        (["--release", RELEASE], "--release is for a build of your own"),
        (["--from-file", "a", "--from-file", "b", "--source", "c"], "several files were given"),
        (["--step", "make 'all"], "--step cannot be read"),
        (["--script", "build.sh", "--step", "make"], "--script and --step were both given"),
        (["--script", "../build.sh"], "is not in the folder of the recipe"),
        (["pkg:pypi/six@1.17.0", "--step", "make"], "were both given"),
        (["--step", "make", "--source", "vault:engine.tar"], "a locator with --source-sha256"),
        (["--step", "make", "--source", "nothing"], "--source nothing is no file"),
    ],
)
def test_what_is_not_described_is_asked_for(
    words: list[str], what: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (folder / "build.sh", folder / "shipped", tmp_path / "build.sh"):
        path.write_text("#!/bin/sh\n")
    given = [*words]
    if "--script" in words[:1] and words != ["--script", "build.sh"]:
        given += ["--source", "shipped", "--from-file", "shipped", "--release", RELEASE]
    elif "--step" in words:
        given += ["--from-file", "shipped", "--release", RELEASE]
        given += [] if "--source" in words else ["--source", "shipped"]
    ended = samebits("recipe", "new", *given, home=home)
    assert (ended.code, what in ended.err) == (64, True), ended.err
    ended.assert_clear()

"""A center that lies, for the demo: it hashes the public files of a release, and builds nothing.

Arguments: the center's file, and the recipe. Its statements are signed with its own keys and stand
in its log, its seal before them; every digest in them is one that anybody can have, but for the
by-product, which it makes up.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from builders.core.digest import Digest
from builders.core.runid import new_run_id
from builders.images.provide import claimed_digest
from builders.recipe.claim import claim_of
from builders.recipe.recipe import load_recipe
from builders.recipe.scope import scope_of
from infra.bench.madeup import MadeUpFile, MadeUpRun
from pipelines.center.center import load_center
from pipelines.center.keys import center_key
from pipelines.evidence.statements.statement import DigestSet
from pipelines.storage.names import REPORT
from pipelines.verify.judging import shipped_want
from pipelines.verify.session import Session


def main(center_file: str, recipe_file: str) -> int:
    """Sign, store and log the findings of a run that never was."""
    center, loaded = load_center(Path(center_file)), load_recipe(Path(recipe_file))
    session, recipe = Session(center), loaded.recipe
    session.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=session.workdir) as folder:
        wanted = [shipped_want(artefact, loaded.folder) for artefact in recipe.artefacts]
        paths = session.fetcher.fetch(wanted, Path(folder))
        public = {w.name: p.read_bytes() for w, p in zip(wanted, paths, strict=True)}
    claim = claim_of(loaded, claimed_digest(recipe.build.image, session.images)).digest
    run = MadeUpRun(
        center=center.id,
        builder=center.builder_id,
        release=recipe.release,
        run=new_run_id(),
        claim=DigestSet(sha256=claim),
        scope=DigestSet(sha256=scope_of(recipe).digest),
        files={name: MadeUpFile.identical(content) for name, content in public.items()},
        by_products={
            glob.replace("*", recipe.product): b"made up\n"
            for glob in (*recipe.by_products, *recipe.published_by_products)
        },
    )
    book = session.logbook()
    book.commit(release=recipe.release, run=run.run, claim=Digest(str(claim)), seal=run.seal())
    with book.storing(run.folder()):
        for name, envelope in run.envelopes(center_key(center)).items():
            session.store.put_record(f"{run.folder()}{name}", envelope.to_bytes())
    book.settle(run.folder())
    session.store.put_record(f"{run.folder()}{REPORT}", run.report().to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Say whether the run of each recipe, begun since a given time, ended as the recipe expects.

Arguments: the time, as run ids begin with it, and the recipes. Exit code 0 when all did.
"""

from __future__ import annotations

import sys
from pathlib import Path

from builders.core.errors import SamebitsError
from builders.recipe.recipe import load_recipe
from pipelines.center.center import load_center
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.stored_runs import find_run, read_report
from pipelines.verify.session import Session


def main(began: str, paths: list[str]) -> int:
    """Print one line a recipe, and return the exit code."""
    store = Session(load_center(None)).store
    unexpected = 0
    print()
    for path in paths:
        recipe = load_recipe(Path(path)).recipe
        release = ReleaseName.parse(recipe.release)
        try:
            run = find_run(store, release)
            got = read_report(store, run)["verdict"] if run.run >= began else "NO RUN"
        except SamebitsError as error:
            got = f"NO RUN ({error})"
        expected = str(recipe.expect.verdict) if recipe.expect else None
        unexpected += got != expected
        word = "as expected" if got == expected else f"EXPECTED {expected}"
        print(f"{got:<16} {word:<12} {release}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

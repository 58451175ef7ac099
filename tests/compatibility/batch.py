"""Run commands of samebits one after the other in this process: each start costs half a second.

`python -m tests.compatibility.batch` reads a JSON list of commands from stdin, and writes a JSON
object to stdout: `results`, a list of {exit_code, output} with the document that each command has
printed, and `modules`, the top-level names of all that was imported.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO
from typing import Any


def run(command: str) -> dict[str, Any]:
    """Run one command as `python -m pipelines.cli` does."""
    os.environ.pop("SAMEBITS_STORE", None)  # where earlier versions keep --store
    sys.argv = ["samebits", *command.split()]
    printed, code = StringIO(), None
    with redirect_stdout(printed):
        try:
            runpy.run_module("pipelines.cli", run_name="__main__")
        except SystemExit as end:
            code = end.code
    return {"exit_code": code, "output": json.loads(printed.getvalue())}


if __name__ == "__main__":
    results = [run(command) for command in json.load(sys.stdin)]
    modules = sorted({name.partition(".")[0] for name in sys.modules})
    json.dump({"results": results, "modules": modules}, sys.stdout)

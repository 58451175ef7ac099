"""The entry point: the list of commands, and the exit code and message of every failure."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from types import FrameType
from typing import NoReturn

import click

from builders.core.errors import (
    EXIT_INTERRUPTED,
    EXIT_NOT_CHECKED,
    EXIT_USAGE,
    InfrastructureError,
    SamebitsError,
    UsageError,
)
from builders.core.garbage import collect_rarely
from builders.core.log_records import escape_logs
from builders.core.similar import did_you_mean
from pipelines.cli.console import escape_crashes, write_json
from pipelines.cli.terminal import tell, warn

_COMMANDS = {
    "verify": ("verify.verify", "Rebuild releases and compare them with what was shipped."),
    "rebuild": ("rebuild.rebuild", "Rebuild one release; needs no shipped file."),
    "replay": ("replay.replay", "Repeat a center's rebuild here, and compare the bytes."),
    "compare": ("compare.compare", "Compare two files that should be the same."),
    "rules": ("rules.command", "Compare detection rules: which are gone, weakened or changed."),
    "recipe": ("recipe.command", "Infer and check recipes, and print their schema."),
    "signature": ("signature.command", "Show what a recipe pins of the signature on a file."),
    "image": ("inputs.image", "Lock, build and check builder images."),
    "vault": ("inputs.vault", "List and add inputs, and transfer them between centers."),
    "source": ("source.command", "Get the source of a release, and compare two."),
    "review": ("review.command", "Approve source, withdraw approvals, and show what counts."),
    "evidence": ("evidence.command", "List, show, export and check what runs have found."),
    "log": ("log.command", "Read, prove, check and witness transparency logs."),
    "policy": ("policy.command", "Join, sign, check and compare policies."),
    "consensus": ("findings.consensus", "Combine what the centers found for a release."),
    "portal": ("portal.command", "Build static pages of what the centers found, and serve them."),
    "alarm": ("alarm.command", "List alarms, and acknowledge them."),
    "nightly": ("verify.nightly", "Verify everything that is due, as a center does every night."),
    "cancel": ("cancel.command", "Cancel a run or a night, wherever it is."),
    "request": (
        "request.command",
        "Ask a center to verify one release now; list and cancel requests.",
    ),
    "heartbeat": ("log.heartbeat", "Sign and log that the center is alive."),
    "check": ("file_check.check", "Show what is known of one file, by its digest."),
    "center": ("center.command", "Set a center up, and run its services."),
    "completion": (
        "completion.completion",
        "Complete commands, recipes and releases in the shell.",
    ),
    "reap": ("rebuild.reap", "Remove what killed runs left behind."),
    "bench": ("bench.command", "Measure speed and memory on this machine."),
}
"""Where each command is, below `pipelines.cli`, and its line in the overview."""


class Commands(click.Group):
    """Imports the module of a command when it is called, so that `samebits --help` is fast."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of `_COMMANDS`."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in _COMMANDS:
            return None
        name, _, attribute = _COMMANDS[cmd_name][0].partition(".")
        module = importlib.import_module(f"pipelines.cli.{name}")
        command: click.Command = getattr(module, attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the one that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if (meant := did_you_mean(args[0], _COMMANDS)) is None:
                raise
            message = f"{error.message} {meant}"
            raise click.UsageError(message, ctx) from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all reproduced, 1 some not, 2 some not checked, 64 usage or bad recipe.",
)
@click.version_option(package_name="samebits", prog_name="samebits")
def samebits() -> None:
    """Check that the bytes a vendor shipped are the bytes that its reviewed source builds.

    \b
    Examples:
      samebits verify recipes/releases/debian/netbase/6.5.yaml
      samebits verify --json recipes/releases/debian/*/*.yaml
      samebits rebuild recipes/releases/debian/netbase/6.5.yaml --out /tmp/netbase
    """


def main(
    arguments: Sequence[str] | None = None,
    command: click.Command = samebits,
    name: str = "samebits",
) -> NoReturn:
    """Run the command and exit; a failure is one clear message, never a traceback."""
    collect_rarely()
    signal.signal(signal.SIGTERM, _terminate)
    escape_logs()
    escape_crashes()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = command.main(
            words, prog_name=name, standalone_mode=False, color=None if _colored() else False
        )
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        code = EXIT_USAGE
        _show_usage(error, as_json=_wants_json(words))
    except SamebitsError as error:
        code = error.exit_code
        fail(error, as_json=_wants_json(words))
    except (KeyboardInterrupt, click.Abort):
        code = EXIT_INTERRUPTED
        warn("interrupted; nothing half-done was left behind")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        code = EXIT_NOT_CHECKED
        fault = InfrastructureError(
            f"{error.filename or 'something'} cannot be used",
            got=error.strerror or error,
            todo="Check its permissions, and free disk space",
        )
        fail(fault, as_json=_wants_json(words))
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else 0)


def _wants_json(words: Sequence[str]) -> bool:
    """Say whether the words of a command ask for JSON, of which a fault is a document too."""
    return bool({"--json", "--format=json"} & {*words}) or ("--format", "json") in pairwise(words)


def fail(error: SamebitsError, *, as_json: bool) -> None:
    """Print an error: for people on stderr, for programs as the one document on stdout."""
    if as_json:
        write_json({"error": error.to_dict()})
    warn(error)


def _show_usage(error: click.ClickException, *, as_json: bool) -> None:
    """Print what click says of wrong words, as `fail` prints an error."""
    if as_json:
        write_json({"error": UsageError(error.format_message()).to_dict()})
    text = io.StringIO()
    error.show(text)
    message = f"Error: {error.format_message()}"  # one line of it may be no line of ours
    tell(*text.getvalue().removesuffix(f"{message}\n").splitlines(), message)


def _colored() -> bool:
    """Return whether terminals get colours; what is no terminal never does."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that everything is cleaned up."""
    raise KeyboardInterrupt

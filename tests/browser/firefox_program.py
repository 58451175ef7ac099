"""Firefox, driven by Mozilla's own driver for tests: `python firefox_program.py FOLDER`.

Each line of the input is a command as JSON, `[name, argument, ...]`. The answer is a line of JSON:
what the command gives as `{"value": ...}`, or `{"error": ...}`. Firefox ends with the input. Its
profile, which is new, and its log are in the folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from marionette_driver.by import By
from marionette_driver.errors import MarionetteException
from marionette_driver.marionette import Marionette

_FIREFOX = "/usr/bin/firefox-esr"
"""Of Debian's package: no other browser is looked for."""
_PREFERENCES = {"network.dns.disabled": True}  # nobody else can be asked
_WATCH = """
    const seen = window.seen = {requests: [], faults: []};
    const isOfPage = (channel) => !channel.loadInfo.loadingPrincipal?.isSystemPrincipal;
    const watch = (topic, look) => Services.obs.addObserver((subject) => {
        const channel = subject.QueryInterface(Ci.nsIHttpChannel);
        if (isOfPage(channel)) look(channel, channel.URI.spec);
    }, topic);
    watch("http-on-modify-request", (_, url) => seen.requests.push(url));
    watch("http-on-examine-response", (channel, url) => {
        const status = channel.responseStatus;
        if (status >= 400) seen.faults.push(`status ${status}: ${url}`);
    });
    Services.console.registerListener({observe(said) {
        if (said instanceof Ci.nsIScriptError && /^(https?|file):/.test(said.sourceName)) {
            seen.faults.push(`console: ${said.errorMessage}`);
        }
    }});
"""
_SEEN = """
    const {requests, faults} = window.seen;
    return {requests: requests.splice(0), faults: faults.splice(0)};
"""
_WIDTH = """
    const style = window.gBrowser.selectedBrowser.style;
    style.flex = "none";
    style.minWidth = "0";
    style.width = `${arguments[0]}px`;
"""
"""A page may be narrower than its window, which has room for the bars of Firefox."""


class Commands:
    """The commands, by the names of its methods."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, url: str) -> None:
        """Open a page; returns once it is loaded."""
        self._driver.navigate(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, and return what it returns."""
        return self._driver.execute_script(script, arguments)

    def choose(self, selector: str, *paths: str) -> None:
        """Choose files."""
        self._driver.find_element(By.CSS_SELECTOR, selector).send_keys("\n".join(paths))

    def press(self, keys: str) -> None:
        """Press keys one after the other, as WebDriver names them."""
        self._driver.actions.sequence("key", "keyboard").send_keys(keys).perform()

    def width(self, pixels: int) -> None:
        """Show pages in so many pixels."""
        self._inside(_WIDTH, pixels)

    def watch(self) -> None:
        """Note from now on what pages do."""
        self._inside(_WATCH)

    def seen(self) -> Any:
        """Return what pages asked for, and what went wrong, since this was last asked."""
        return self._inside(_SEEN)

    def _inside(self, script: str, *arguments: Any) -> Any:
        """Run a script in Firefox itself."""
        with self._driver.using_context(self._driver.CONTEXT_CHROME):
            return self._driver.execute_script(script, arguments)


def main() -> None:
    """Answer commands until there are none."""
    folder = sys.argv[1]
    driver = Marionette(
        app="fxdesktop",
        bin=_FIREFOX,
        port=0,
        headless=True,
        workspace=folder,
        gecko_log=str(Path(folder, "firefox.log")),
        prefs=_PREFERENCES,
    )
    try:
        driver.start_session()
        commands = Commands(driver)
        commands.watch()
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            try:
                answer = {"value": getattr(commands, name)(*arguments)}
            except MarionetteException as error:
                answer = {"error": str(error)}
            print(json.dumps(answer), flush=True)  # noqa: T201
    finally:
        driver.cleanup()


if __name__ == "__main__":
    main()

"""A PKCS#11 token in a folder, by SoftHSM 2."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pkcs11

from pipelines.evidence.privatekey import KEY_USES

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
LABEL, PIN = "samebits test", "4711"


@dataclass(frozen=True)
class SoftToken:
    """The token, which the process finds by SOFTHSM2_CONF, and the file with its PIN."""

    folder: Path

    @property
    def configuration(self) -> Path:
        return self.folder / "softhsm2.conf"

    @property
    def pin(self) -> Path:
        return self.folder / "pin"

    def make(self) -> None:
        (self.folder / "tokens").mkdir()
        self.configuration.write_text(
            f"directories.tokendir = {self.folder / 'tokens'}\nlog.level = ERROR\n"
        )
        self.pin.write_text(f"{PIN}\n")
        self.pin.chmod(0o600)
        subprocess.run(
            [
                *("softhsm2-util", "--init-token", "--free"),
                *("--label", LABEL, "--pin", PIN, "--so-pin", PIN),
            ],
            env={"PATH": "/usr/bin:/bin", "SOFTHSM2_CONF": str(self.configuration)},
            check=True,
            capture_output=True,
        )

    def uri(self, label: str, **changed: str) -> str:
        said = {"token": LABEL, "module-path": str(MODULE), "pin-source": f"file:{self.pin}"}
        said |= {name.replace("_", "-"): value for name, value in changed.items()}
        token = quote(said.pop("token"))
        query = "&".join(f"{name}={value}" for name, value in said.items())
        return f"pkcs11:token={token};object={label}?{query}"

    def session(self) -> pkcs11.Session:
        """Log in beside samebits, as the operator's own tools do."""
        token = pkcs11.lib(str(MODULE)).get_token(token_label=LABEL)
        return token.open(rw=True, user_pin=PIN)

    def center_file(self, folder: Path, prefix: str) -> Path:
        """Write the file of a center with all three keys in the token."""
        keys = "".join(
            f"  {use}: {{uri: {self.uri(f'{prefix}-{use}')!r}, public: public/{use}.pub}}\n"
            for use in KEY_USES
        )
        path = folder / "center.yaml"
        path.write_text(
            f"schema: samebits/center/v1\nid: zurich\nhome: {folder}/home\nstore: {folder}/store\n"
            f"keys:\n{keys}"
        )
        return path

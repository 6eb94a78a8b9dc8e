"""`python -m deploy.compose.preparation`: keys and the gateway's configuration into the volume all parts read.

The private development key stays in a volume of its own. What exists is kept, so that tokens and page
cursors stay good over restarts. With an identity provider (RAPPORT_JWKS_URL) the key is made and trusted by nobody.
"""

import os
import sys
from pathlib import Path

from deploy.gateway.rendering import GatewaySettings, render
from deploy.local.keys import DevelopmentKeys
from deploy.local.settings import PROJECT

PRIVATE = PROJECT / ".local" / "keys"
PUBLIC = Path("/var/lib/rapport")


def prepare(private: Path, public: Path, gateway: GatewaySettings) -> None:
    """Write `jwks.json`, `envoy.yaml`, and `secrets/RAPPORT_CURSOR_KEY`, which the gateway cannot read."""
    keys = DevelopmentKeys(private)
    _replace(public / "jwks.json", (private / _name_of(keys.jwks_url)).read_text(), mode=0o644)
    _replace(public / "envoy.yaml", render(gateway), mode=0o644)
    _replace(public / "secrets" / "RAPPORT_CURSOR_KEY", keys.cursor_key, mode=0o600)


def _name_of(url: str) -> str:
    return url.rpartition("/")[2]


def _replace(file: Path, content: str, mode: int) -> None:
    """Write a file complete or not at all: a gateway that runs may be reading it."""
    file.parent.mkdir(exist_ok=True)
    unfinished = file.with_suffix(".unfinished")
    unfinished.touch(mode)
    unfinished.write_text(content)
    unfinished.chmod(mode)
    unfinished.rename(file)


if __name__ == "__main__":
    try:
        prepare(PRIVATE, PUBLIC, GatewaySettings.load(os.environ))
    except ValueError as error:
        sys.exit(f"The gateway's configuration cannot be made: {error}.")

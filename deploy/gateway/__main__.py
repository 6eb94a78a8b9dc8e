"""`python -m deploy.gateway [FILE]`: the gateway's configuration from the environment, to FILE or printed."""

import os
import sys
from pathlib import Path

from deploy.gateway.rendering import GatewaySettings, render

try:
    configuration = render(GatewaySettings.load(os.environ))
except ValueError as error:
    sys.exit(f"The gateway's configuration cannot be made: {error}.")
if len(sys.argv) > 1:
    Path(sys.argv[1]).write_text(configuration)
else:
    sys.stdout.write(configuration)

"""`make demo`: the story of a sales team on real input, told as it happens.

Starts the system if it is down, and leaves it running; with `RAPPORT_DEMO_GATEWAY` it tells the story
to the system at that address. Everything goes through the gateway and the topics, as another company's
front end and connectors would do it; only the sweep of Don't Forget is a job, run as a platform runs it.
"""

import os
import subprocess
import sys
import time

from deploy.demo.api import Place, Refused
from deploy.demo.cast import Cast
from deploy.demo.classes import classification, dont_forget, source_brings
from deploy.demo.contacts import head_reads_what_is_new, why_37
from deploy.demo.deals import DEALT, campaign_deals, one_owner_by_hand
from deploy.demo.files import file_becomes_customers, file_overwrites_and_is_undone
from deploy.local.errors import LaunchError
from deploy.local.keys import DevelopmentKeys
from deploy.local.settings import PROJECT, LocalSettings
from deploy.local.system import System


def tell(place: Place) -> None:
    """The whole story. Each chapter has customers of its own."""
    cast = Cast(place)
    cast.hire()
    import_id = file_becomes_customers(cast)
    customers = [item for item in cast.admin.pages("/customers") if item["origin"]["kind"] == "import"][:DEALT]
    file_overwrites_and_is_undone(cast, customers[10:])
    classification(cast, customers[20:])
    source_brings(cast, customers[20:])
    campaign_deals(cast, customers)
    one_owner_by_hand(cast, customers[0])
    head_reads_what_is_new(cast, why_37(cast))
    dont_forget(cast, customers[30:])
    print(f"\nThe import's annotated result: {place.gateway}/api/v1/imports/{import_id}/result-file")


def main() -> None:
    """Start what is down, then tell."""
    try:
        given = os.environ.get("RAPPORT_DEMO_GATEWAY")
        if given:
            keys = DevelopmentKeys(PROJECT / ".local" / "keys")
            return tell(Place(given, os.environ["KAFKA_BOOTSTRAP_SERVERS"], keys, os.environ))
        system = System(LocalSettings.load())
        started = time.monotonic()
        system.up()
        print(f"Rapport is up ({time.monotonic() - started:.1f} s) at {system.gateway.url}/api/v1.")
        servers = system.environment["KAFKA_BOOTSTRAP_SERVERS"]
        tell(Place(system.gateway.url, servers, system.keys, os.environ | system.environment))
        print("Look around with a token from `make -s token`; `make down` stops the system.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[1:5])} failed: {error.stderr.strip().splitlines()[-1:]}")
    except (LaunchError, Refused, TimeoutError) as error:
        sys.exit(" ".join(str(error).split()))
    return None


if __name__ == "__main__":
    main()

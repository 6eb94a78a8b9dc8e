"""`python -I health.py live|ready`: status 0 when the service in this container says so, for a health check.

Stands on the standard library alone and imports little, since it runs every few seconds.
"""

import http.client
import os
import sys

ANSWER_TIMEOUT_SECONDS = 4


def main(question: str) -> int:
    """Ask the service. What it complains of is printed, and kept by Docker with the container's state."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ["RAPPORT_PORT"]), timeout=ANSWER_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", f"/health/{question}")
        answer = connection.getresponse()
        sys.stdout.write(answer.read().decode(errors="replace"))
        return int(answer.status != 200)
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer ({type(error).__name__})")
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""`python -m deploy.local up|down|reset|status|logs|token|environment`: the system on this machine."""

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence

from deploy.local.errors import LaunchError
from deploy.local.keys import ADMINISTRATOR_ID, ADMINISTRATOR_PERMISSIONS
from deploy.local.settings import LocalSettings
from deploy.local.system import System

LOG_LINES = "40"
USAGE = """usage: python -m deploy.local COMMAND
  up                    start everything; returns when every part is ready
  down                  stop everything; data stays
  reset                 stop everything and delete its data
  status                how every part is doing
  logs [PART]           follow the logs
  token [sub=ID] [permissions="A B"] [kind=employee|service]
                        a token; without arguments the administrator's
  environment           the services' environment, as shell commands"""


def up(system: System, _: Sequence[str]) -> None:
    """Start everything, then say where it is."""
    started = time.monotonic()
    system.up()
    print(f"Rapport is up ({time.monotonic() - started:.1f} s).\n")
    for name, address in _addresses(system):
        print(f"  {name:<13}{address}")
    if system.postgres.notice and system.settings.services_without_database:
        print(f"\n{system.postgres.notice}")
    if not system.settings.identity_is_given:
        print(f"\nThe administrator's token, for 12 hours (`make -s token` prints another):\n{_token(system, {})}")


def down(system: System, _: Sequence[str]) -> None:
    """Stop everything."""
    system.down()
    print("Rapport is down. Its data stays; `make reset` deletes it.")


def reset(system: System, _: Sequence[str]) -> None:
    """Stop everything and delete its data."""
    system.reset()
    print("Rapport is down and its data deleted.")
    given = [name for name in system.settings.environment if name.startswith(("DATABASE_URL_", "KAFKA_BOOTSTRAP"))]
    if given:
        print(f"Left alone, because they were given: {', '.join(sorted(given))}.")


def status(system: System, _: Sequence[str]) -> None:
    """A line for each part. Ends with status 1 unless all are ready."""
    parts = system.status()
    for part in parts:
        print(f"{part.name:<13}{part.port:<7}{part.state:<10}{part.waits_for or ''}".rstrip())
    if any(part.state != "ready" for part in parts):
        sys.exit(1)


def logs(system: System, arguments: Sequence[str]) -> None:
    """Follow the logs of all parts, or of the one named."""
    files = system.logs()
    unknown = [name for name in arguments if name not in files]
    if unknown:
        raise LaunchError(f"There is no part {unknown[0]!r}.", f"The parts are {', '.join(files)}.")
    chosen = [str(files[name]) for name in arguments or files if files[name].exists()]
    if not chosen:
        raise LaunchError("There are no logs yet.", "Start the system with `make up`.")
    # It takes our place: Ctrl-C reaches it alone, and nothing of us is left to report it.
    os.execvp("tail", ["tail", "-n", LOG_LINES, "-F", *chosen])


def token(system: System, arguments: Sequence[str]) -> None:
    """Print a token and nothing else."""
    given: dict[str, str] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if not separator or name not in ("sub", "permissions", "kind"):
            raise LaunchError(f"{argument!r} is not understood.", 'Give sub=…, permissions="a b", kind=…')
        given[name] = value
    print(_token(system, given))


def environment(system: System, _: Sequence[str]) -> None:
    """What `eval "$(python -m deploy.local environment)"` needs to run a service by hand."""
    for name, value in sorted(system.environment.items()):
        if name.startswith(("RAPPORT_", "DATABASE_", "KAFKA_")):
            print(f"export {name}={shlex.quote(value)}")


COMMANDS: dict[str, Callable[[System, Sequence[str]], None]] = {
    "up": up,
    "down": down,
    "reset": reset,
    "status": status,
    "logs": logs,
    "token": token,
    "environment": environment,
}


def _token(system: System, given: dict[str, str]) -> str:
    if system.settings.identity_is_given:
        raise LaunchError(
            f"Tokens come from the identity provider at {system.settings.environment['RAPPORT_JWKS_URL']}.",
            "Ask it for one, or unset RAPPORT_JWKS_URL.",
        )
    kind = given.get("kind", "employee")
    if kind not in ("employee", "service"):
        raise LaunchError(f"{kind!r} is not a kind of token.", "Give kind=employee or kind=service.")
    if kind == "service" and not given.get("sub"):
        raise LaunchError("A service's token needs its name.", "Give sub=<name>.")
    default = ADMINISTRATOR_PERMISSIONS if not given.get("sub") else ()
    permissions = given["permissions"].replace(",", " ").split() if "permissions" in given else default
    return system.keys.token(given.get("sub") or ADMINISTRATOR_ID, permissions, kind)


def _addresses(system: System) -> list[tuple[str, str]]:
    postgres = f"127.0.0.1:{system.postgres.port}" if system.settings.services_without_database else "as given"
    return [
        ("API", f"{system.gateway.url}/api/v1"),
        *((service.name, f"http://127.0.0.1:{service.port}") for service in system.services),
        ("Kafka", system.environment["KAFKA_BOOTSTRAP_SERVERS"]),
        ("PostgreSQL", f"{postgres}   (addresses with passwords: python -m deploy.local environment)"),
        ("logs", f"make logs   (in {system.settings.state})"),
    ]


def main(arguments: Sequence[str]) -> None:
    """Run one command. What is missing on the machine is one line on standard error, and status 1."""
    if not arguments or arguments[0] not in COMMANDS:
        sys.exit(USAGE)
    try:
        COMMANDS[arguments[0]](System(LocalSettings.load()), arguments[1:])
    except LaunchError as error:
        sys.exit(" ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit("Interrupted. `make down` stops what has started.")
    except BrokenPipeError:
        # Whoever read our output had enough of it (`make up | head`). Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main(sys.argv[1:])

"""`python -m services.imports`: all commands of the imports service."""

from services.imports.app import SERVICE
from shared.cli import command_line, main

if __name__ == "__main__":
    main(command_line(SERVICE))

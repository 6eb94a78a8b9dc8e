"""`python -m services.interactions all|api|consumers|relay|migrate|…`."""

from services.interactions.app import SERVICE
from shared.cli import command_line, main

if __name__ == "__main__":
    main(command_line(SERVICE))

"""`python -m services.campaigns all|api|consumers|relay|migrate|…`."""

from services.campaigns.app import SERVICE
from shared.cli import command_line, main

if __name__ == "__main__":
    main(command_line(SERVICE))

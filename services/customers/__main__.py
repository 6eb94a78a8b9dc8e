"""`python -m services.customers`: the command line of the customers service."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer

from services.customers.app import SERVICE
from services.customers.commands.employees import bootstrap_administrator
from services.customers.domain.employee import FIRST_EMPLOYEE_ID
from shared.cli import command_line, main
from shared.database import Database

app = command_line(SERVICE)


@app.command("bootstrap-admin")
def bootstrap_admin(
    employee_id: Annotated[
        UUID, typer.Option("--id", help="The `sub` of the administrator's tokens")
    ] = FIRST_EMPLOYEE_ID,
    name: Annotated[str, typer.Option(help="The administrator's name")] = "Quản trị viên",
    code: Annotated[str, typer.Option(help="The administrator's code")] = "ADMIN",
) -> None:
    """Make the first employee of a fresh system; does nothing where there is one already."""

    async def work() -> bool:
        database = Database(SERVICE.load_settings(), pool_size=1)
        try:
            async with database.transaction() as session:
                return await bootstrap_administrator(session, employee_id, name, code)
        finally:
            await database.close()

    made = asyncio.run(work())
    typer.echo(f'{{"employee_id": "{employee_id}", "created": {str(made).lower()}}}')


if __name__ == "__main__":
    main(app)

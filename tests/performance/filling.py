"""Fills the system of a bench with people and customers, the way the service itself would write them.

Customers are made by the service's own rules and inserted by its own statements, events and audit
entries included: copies, ledger and counts then follow through Kafka as they always do.
"""

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import Any
from uuid import UUID

from deploy.demo.generate import SEED
from deploy.demo.people import customers
from services.customers.commands.publishing import tell, write_entries
from services.customers.commands.registers import claim_phones, new_codes
from services.customers.commands.storing import insert_customers
from services.customers.domain.customer import Customer
from services.customers.domain.values import NewCustomer
from shared.contracts.customers import Origin
from shared.contracts.events import Cause
from shared.database import Database, Session, clock
from shared.envelope import new_id
from shared.settings import Settings
from tests.performance.client import Connection, request
from tests.performance.stage import Stage

CHUNK = 1_000
SELLERS = 200
SELLERS_OF_SUPERIOR = 40
UNASSIGNED_EVERY = 20
"""One customer in this many has nobody responsible."""
SPARE = 200_000
"""Customers that nobody has yet, for imports."""


async def fill(stage: Stage, total: int) -> Iterator[dict[str, Any]]:
    """Make people and customers, and wait until every service knows them. Answers customers yet to come."""
    await _hire(stage)
    people = customers(total + SPARE, SEED)
    managers = _managers(stage.seller_ids)
    settings = Settings.model_validate(
        {
            "service": "customers",
            "database_url": stage.databases["customers"].app_url,
            "kafka_bootstrap_servers": stage.rapport.bootstrap_servers,
            "jwks_url": stage.keys.jwks_url,
            "token_issuer": "bench",
        }
    )
    database = Database(settings, pool_size=1)
    try:
        while len(stage.customer_ids) < total:
            chunk = list(islice(people, min(CHUNK, total - len(stage.customer_ids))))
            async with database.transaction() as session:
                stage.customer_ids += await _insert(session, chunk, managers)
    finally:
        await database.close()
    await stage.settle()
    await stage.analyze()
    return people


async def _hire(stage: Stage) -> None:
    """A superior with forty sellers, and sellers without one."""
    token = stage.keys.administrator_token()
    connection = await Connection.open(stage.port("customers"))

    async def employee(name: str, superior_id: UUID | None = None) -> UUID:
        body = {"name": name, "superior_id": superior_id}
        answer = await connection.ask(request("POST", "/employees", token, body))
        assert answer.status == 201, answer
        return UUID(answer.json()["id"])

    try:
        stage.superior_id = await employee("Trưởng phòng")
        for number in range(SELLERS):
            superior_id = stage.superior_id if number < SELLERS_OF_SUPERIOR else None
            stage.seller_ids.append(await employee(f"Nhân viên {number}", superior_id))
    finally:
        connection.close()


def _managers(seller_ids: Sequence[UUID]) -> Iterator[UUID | None]:
    """Who is responsible for each customer in turn: everybody has as many, one in twenty has nobody."""
    for number in count():
        turn = number - number // UNASSIGNED_EVERY
        yield None if number % UNASSIGNED_EVERY == UNASSIGNED_EVERY - 1 else seller_ids[turn % len(seller_ids)]


async def _insert(session: Session, chunk: Sequence[dict[str, Any]], managers: Iterator[UUID | None]) -> list[UUID]:
    at, cause = await clock(session), Cause(kind="system", id="bench")
    made: list[Customer] = []
    for values in chunk:
        given = {name: value for name, value in values.items() if value is not None}
        checked = NewCustomer.model_validate(given).given()
        customer = Customer.create(new_id(), "", checked, Origin(kind="user"), "service/bench", at)
        customer.hand_over_at_creation(next(managers), None, (), at, cause)
        made.append(customer)
    await claim_phones(session, {phone: customer.id for customer in made for phone in customer.phones})
    for customer, code in zip(made, await new_codes(session, [customer.id for customer in made]), strict=True):
        customer.code = code
    events = [customer.tell_created(cause) for customer in made]
    await insert_customers(session, made)
    await write_entries(session, tell(session, events))
    return [customer.id for customer in made]

"""`/me`, `/settings`: what a front end asks for first."""

from typing import Annotated, Any

import msgspec
from fastapi import Header

from services.customers.api.schemas import EmployeeRecord, Me, TenantSettings
from services.customers.domain.relationships import NEW
from services.customers.queries.employees import read_employee
from shared.http import ActorDep, SessionDep, WiringDep, router
from shared.wording import language_of

tenant = router("tenant")


@tenant.get("/me")
async def get_me(session: SessionDep, actor: ActorDep, accept_language: Annotated[str | None, Header()] = None) -> Me:
    """Who you are to this system."""
    employee: dict[str, Any] | None = None
    if actor.employee_id is not None:
        employee = msgspec.json.decode(await read_employee(session, actor, actor.employee_id))
    return Me(
        employee=EmployeeRecord(**employee) if employee is not None else None,
        kind="employee" if actor.employee_id is not None else "service",
        permissions=sorted(actor.permissions),
        language=language_of(accept_language),
    )


@tenant.get("/settings")
async def get_settings(actor: ActorDep, wiring: WiringDep) -> TenantSettings:
    """Limits, zone and defaults."""
    settings = wiring.settings
    return TenantSettings(
        time_zone=settings.time_zone,
        currency="VND",
        max_page=settings.max_page,
        max_bulk_items=settings.max_bulk_items,
        default_relationship_id=NEW,
    )

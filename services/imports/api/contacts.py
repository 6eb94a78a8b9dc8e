"""`/contact-syncs`: contacts of a telephone become customers, each with an outcome (M13)."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from services.imports.commands.contacts import Contact, sync_contacts
from services.imports.domain.job import Import
from services.imports.queries.contacts import ContactOutcome, get_contact_sync, is_finished, list_contacts
from shared.fields import Items, RequestModel
from shared.http import ActorDep, SessionDep, accepted, router

MAX_WAIT_SECONDS = 20
POLL_SECONDS = 0.05
MAX_CONTACT_TEXT = 1_000
"""Longer than any name or phone that can be taken: such a contact is `invalid`, its neighbours are not."""

ContactStatus = Literal["pending", "created", "duplicate", "already_synced", "invalid", "failed"]

routes = router("contact-syncs")


class ContactRequest(RequestModel):
    """One contact; without a name or a phone that can be one it is `invalid`."""

    name: Annotated[str, Field(max_length=MAX_CONTACT_TEXT)] = ""
    phone: Annotated[str, Field(max_length=MAX_CONTACT_TEXT)] = ""
    device_contact_id: Annotated[str, Field(min_length=1, max_length=200)]


class ContactSyncRequest(RequestModel):
    """Contacts and who will be responsible for them (by default oneself)."""

    contacts: Items[ContactRequest]
    employee_id: UUID | None = None


class ContactResponse(BaseModel):
    """What became of one contact, by its place in the request."""

    index: int
    device_contact_id: str | None
    status: ContactStatus
    customer_id: UUID | None
    code: str | None

    @classmethod
    def of(cls, outcome: ContactOutcome) -> Self:
        """The outcome as it is answered."""
        return cls(
            index=outcome.index,
            device_contact_id=outcome.device_contact_id,
            status=outcome.status,  # pyright: ignore[reportArgumentType]  # pydantic checks the words
            customer_id=outcome.customer_id,
            code=outcome.code,
        )


class ContactSyncResponse(BaseModel):
    """A sync with all its contacts."""

    id: UUID
    state: Literal["applying", "finished"]
    employee_id: UUID | None
    total: int
    done: int
    failed: int
    items: list[ContactResponse]
    created_at: datetime

    @classmethod
    def of(cls, job: Import, outcomes: list[ContactOutcome]) -> Self:
        """The sync as it is answered."""
        statuses = [outcome.status for outcome in outcomes]
        return cls(
            id=job.id,
            state="finished" if job.state == "finished" else "applying",
            employee_id=job.chosen.employee_id,
            total=job.total,
            done=job.total - statuses.count("pending"),
            failed=statuses.count("failed") + statuses.count("invalid"),
            items=[ContactResponse.of(outcome) for outcome in outcomes],
            created_at=job.created_at,
        )


@routes.post("/contact-syncs", status_code=202)
async def post_contact_sync(
    request: ContactSyncRequest, response: Response, session: SessionDep, actor: ActorDep
) -> ContactSyncResponse:
    """Bring contacts; what is known of each at once is in the answer, the rest follows."""
    contacts = [Contact(one.name, one.phone, one.device_contact_id) for one in request.contacts]
    job = await sync_contacts(session, actor, contacts, request.employee_id)
    accepted(response, f"/contact-syncs/{job.id}")
    return ContactSyncResponse.of(job, await list_contacts(session, job.id))


@routes.get("/contact-syncs/{sync_id}")
async def get_one_contact_sync(
    sync_id: UUID,
    session: SessionDep,
    actor: ActorDep,
    wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="Seconds to wait for all outcomes")] = 0,
) -> ContactSyncResponse:
    """An outcome for each contact; with `wait` the answer comes as soon as all are there."""
    job = await get_contact_sync(session, actor, sync_id)
    ends = asyncio.get_running_loop().time() + wait
    while job.state == "applying" and asyncio.get_running_loop().time() < ends:
        await session.close()  # gives the connection back: waiting needs none
        await asyncio.sleep(POLL_SECONDS)
        if await is_finished(session, sync_id):
            break
    await session.close()
    job = await get_contact_sync(session, actor, sync_id)
    return ContactSyncResponse.of(job, await list_contacts(session, job.id))

"""Contacts of somebody's telephone on their way to customers, through the pipeline of imports (M13).

A sync is an import without file and preview: what can be said of a contact alone is said at once, the
rest is asked of `customers`. Each contact of a device becomes a customer once, for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from services.imports.commands.blanking import keep_erasures_off
from services.imports.commands.chunks import send_rows
from services.imports.commands.synced import claim_contacts
from services.imports.domain.job import CONTACTS, Import, uploader_of
from services.imports.domain.options import ImportOptions
from services.imports.domain.preview import claims
from services.imports.queries.known import active_employee
from shared.copies import array_text
from shared.database import Session, clock, run
from shared.envelope import new_id
from shared.errors import FieldError, Invalid
from shared.fields import MAX_TEXT
from shared.folding import composed
from shared.identity import IMPORT, Actor
from shared.phones import BadPhone, normalize

_ROWS = """
INSERT INTO import_row (import_id, row, cells, outcome, action, "values", keys, stale)
SELECT $1, row, cells::jsonb, outcome, CASE outcome WHEN 'create' THEN 'create' END, written::jsonb, keys::text[], false
FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[]) AS contact(row, cells, outcome, written, keys)
"""


@dataclass(frozen=True)
class Contact:
    """A contact as the device has it."""

    name: str
    phone: str
    device_contact_id: str


async def sync_contacts(
    session: Session, actor: Actor, contacts: Sequence[Contact], employee_id: UUID | None
) -> Import:
    """Ask for a customer for each contact, all with one responsible person (by default the actor).

    Raises Forbidden for somebody else's contacts without `customers:import`, Invalid for an unknown or
    inactive employee (A6).
    """
    responsible = employee_id or actor.employee_id
    if responsible is None or responsible != actor.employee_id:
        actor.require(IMPORT)
    if responsible is None or not await active_employee(session, responsible):
        raise Invalid(errors=(FieldError("/employee_id", "inactive_employee"),))
    await keep_erasures_off(session)
    at = await clock(session)
    job = Import(
        id=new_id(),
        kind=CONTACTS,
        state="applying",
        version=1,
        uploader=uploader_of(actor),
        actor=actor.reference().model_dump(mode="json"),
        file_name="",
        file_format="contacts",
        file_bytes=0,
        sha256=b"",
        repeat=False,
        options=ImportOptions(employee_id=responsible).model_dump(mode="json"),
        warnings=[],
        counts={},
        changed_columns={},
        total=len(contacts),
        all_or_nothing=False,
        chunks=0,
        attempts=0,
        created_at=at,
        confirmed_at=at,
    )
    session.add(job)
    await session.flush()
    await _store(session, job, contacts, str(responsible))
    await send_rows(session, job)
    return job


async def _store(session: Session, job: Import, contacts: Sequence[Contact], manager_id: str) -> None:
    """One row for each contact, by its place from 1; the first of a phone or contact in a request has it."""
    read = [_read(contact) for contact in contacts]
    first: dict[str, int] = {}
    for row, (contact, values) in enumerate(zip(contacts, read, strict=True), start=1):
        if values is not None:
            first.setdefault(contact.device_contact_id, row)
    claimed = await claim_contacts(session, job.uploader, job.id, first)
    encode = msgspec.json.encode
    rows: list[tuple[int, str, str, str, str]] = []
    phones: set[str] = set()
    for row, (contact, values) in enumerate(zip(contacts, read, strict=True), start=1):
        outcome = "create"
        if values is None:
            outcome = "invalid"
        elif first[contact.device_contact_id] != row or values["phones"][0] in phones:
            outcome = "duplicate"
        elif row not in claimed:
            outcome = "already_synced"
        else:
            phones.add(values["phones"][0])
        written = values | {"manager_id": manager_id} if values is not None and outcome == "create" else {}
        cells = [contact.name, contact.phone, contact.device_contact_id]
        keys = array_text(claims("phones", values["phones"]) if values is not None else ())
        rows.append((row, encode(cells).decode(), outcome, encode(written).decode(), keys))
    await run(session, _ROWS, job.id, *map(list, zip(*rows, strict=True)))
    job.counts = {}
    for _, _, outcome, *_ in rows:
        job.counts[outcome] = job.counts.get(outcome, 0) + 1


def _read(contact: Contact) -> dict[str, list[str] | str] | None:
    """What is written of a contact; None where it has no name or no phone."""
    name = composed(contact.name)
    if not name or len(name) > MAX_TEXT:
        return None
    try:
        return {"name": name, "phones": [normalize(contact.phone)]}
    except BadPhone:
        return None

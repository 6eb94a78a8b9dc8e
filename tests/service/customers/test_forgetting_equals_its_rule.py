"""Don't Forget in the database is what G5 says in plain Python, whatever happens in whatever order."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.customers.commands import forgetting
from services.customers.commands.forgetting import forget
from services.customers.domain.relationships import DONT_FORGET
from shared.contracts.classification import relationship_id
from shared.database import Session
from shared.identity import DELETE
from tests.service.customers.conftest import Team
from tests.service.customers.test_forgetting import contact, heard

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
CHOSEN = [relationship_id(key) for key in ("new", "hot", "lost")]
CUSTOMERS = 3
BEGINNING = date(2026, 3, 1)
HOURS = (2, 16, 17, 23)
"""Of UTC: 17:00 is midnight in Ho Chi Minh City."""


@dataclass
class Reference:
    """One customer as G5 speaks of it: where somebody put it, since when, and the last contact."""

    relationship: UUID
    started: datetime
    contact: datetime | None = None
    deleted: bool = False
    version: int = 1

    def due(self, today: date, days: dict[UUID, int | None]) -> bool:
        """Today − day(start) ≥ the days of where somebody put it."""
        start = max(self.started, self.contact) if self.contact is not None else self.started
        allowed = days[self.relationship]
        return allowed is not None and (today - start.astimezone(ZONE).date()).days >= allowed


@dataclass
class Story:
    """The service and the reference side by side, on a day that only moves forward."""

    team: Team
    clients: dict[str, Any]
    customers: list[dict[str, Any]]
    references: list[Reference]
    days: dict[UUID, int | None]
    today: date = BEGINNING
    told: dict[int, int] = field(default_factory=dict)

    def at(self, days_ago: int, hour: int) -> datetime:
        """A moment some days ago, never behind today."""
        return datetime(self.today.year, self.today.month, self.today.day, hour, tzinfo=UTC) - timedelta(days=days_ago)

    async def do(self, step: tuple[Any, ...]) -> None:
        """One step: in the service, and in the reference."""
        name, *arguments = step
        await getattr(self, name)(*arguments)
        await self.compare(swept=name == "sweep")

    async def wait(self, days: int) -> None:
        self.today += timedelta(days=days)

    async def sweep(self) -> None:
        await forget(self.team.harness.database, self.team.harness.settings, self.today)

    async def contacted(self, who: int, days_ago: int | None, hour: int) -> None:
        """A summary names the last contact: newer, older (a contact was taken back), or none."""
        reference = self.references[who]
        reference.contact = self.at(days_ago, hour) if days_ago is not None else None
        reference.version += 1
        await self.team.harness.deliver(contact(self.customers[who], reference.contact, reference.version))

    async def chosen(self, who: int, which: int, hour: int) -> None:
        """By hand; what it is already is no change, so the clock goes on."""
        reference = self.references[who]
        if reference.deleted:
            return
        stands = await self.stored(who)
        path = f"/api/v1/customers/{self.customers[who]['id']}"
        answer = await self.clients["seller"].patch(path, json={"relationship_id": str(CHOSEN[which])})
        assert answer.status_code == 200, answer.text
        if stands[0] != CHOSEN[which]:
            reference.relationship = CHOSEN[which]
            await self.restarted(who, hour)

    async def removed(self, who: int) -> None:
        if not self.references[who].deleted:
            self.references[who].deleted = True
            await self.clients["seller"].delete(f"/api/v1/customers/{self.customers[who]['id']}")

    async def restored(self, who: int, hour: int) -> None:
        if self.references[who].deleted:
            self.references[who].deleted = False
            path = f"/api/v1/customers/{self.customers[who]['id']}/restore"
            assert (await self.clients["seller"].post(path)).status_code == 200
            await self.restarted(who, hour)

    async def allowed(self, which: int, days: int | None) -> None:
        """Other days for a relationship."""
        self.days[CHOSEN[which]] = days
        path = f"/api/v1/relationships/{CHOSEN[which]}"
        assert (await self.clients["admin"].patch(path, json={"forget_after_days": days})).status_code == 200

    async def restarted(self, who: int, hour: int) -> None:
        """The service took the database's time; this story's day is another."""
        self.references[who].started = self.at(0, hour)
        await self.team.harness.sql(
            "UPDATE customer SET clock_started_at = $2 WHERE id = $1",
            UUID(self.customers[who]["id"]),
            self.references[who].started,
        )

    async def stored(self, who: int) -> tuple[UUID, UUID | None]:
        """Where the service has a customer, and what it remembers."""
        [row] = await self.team.harness.sql(
            "SELECT relationship_id, remembered_relationship_id FROM customer WHERE id = $1",
            UUID(self.customers[who]["id"]),
        )
        return row[0], row[1]

    async def compare(self, swept: bool) -> None:
        """Forgotten are none but those who are due; after a sweep, all of them."""
        for who, reference in enumerate(self.references):
            stands, remembered = await self.stored(who)
            assert (remembered or stands) == reference.relationship
            assert (stands == DONT_FORGET) == (remembered is not None)
            due = reference.due(self.today, self.days)
            if not reference.deleted and (swept or not due):
                assert (stands == DONT_FORGET) == due, (who, reference, self.today)


who, hour = st.integers(0, CUSTOMERS - 1), st.sampled_from(HOURS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 20)),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("contacted"), who, st.one_of(st.none(), st.integers(0, 40)), hour),
        st.tuples(st.just("chosen"), who, st.integers(0, 2), hour),
        st.tuples(st.just("removed"), who),
        st.tuples(st.just("restored"), who, hour),
        st.tuples(st.just("allowed"), st.integers(0, 2), st.one_of(st.none(), st.integers(1, 40))),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_whatever_happens_the_forgotten_are_those_who_are_due(
    team: Team, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[Any, ...]]
) -> None:
    """G5: contacts early, late and taken back, choices by hand, other days, deletions, sweeps, in any order."""
    story = await _begin(team)

    async def story_day(_: Session) -> date:
        return story.today

    monkeypatch.setattr(forgetting, "_today", story_day)
    await heard(team)
    for step in [*steps, ("sweep",)]:
        await story.do(step)
    again = await forget(team.harness.database, team.harness.settings, story.today)
    assert again == {"forgotten": 0, "returned": 0}


async def _begin(team: Team) -> Story:
    """Three customers of this story alone, every relationship with its thirty days."""
    await team.harness.sql("DELETE FROM customer")
    await team.harness.sql("UPDATE relationship SET forget_after_days = 30 WHERE key <> 'dont_forget'")
    clients = {"seller": team.as_("binh", DELETE), "admin": team.admin}
    customers = [await team.create(clients["seller"]) for _ in range(CUSTOMERS)]
    started = datetime(BEGINNING.year, BEGINNING.month, BEGINNING.day, 3, tzinfo=UTC)
    await team.harness.sql("UPDATE customer SET clock_started_at = $1", started)
    references = [Reference(CHOSEN[0], started) for _ in customers]
    return Story(team, clients, customers, references, dict.fromkeys(CHOSEN, 30))

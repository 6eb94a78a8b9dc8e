"""A campaign: its people, its opportunities' statuses, and its rules for adding and handing out (K1)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.campaigns.domain.mapping import Record
from services.campaigns.domain.reason import Method
from services.campaigns.domain.staff import StaffMember
from shared.contracts.campaigns import CampaignChanged, CampaignState, CampaignStatus, ManagerPolicy, StatusKind
from shared.contracts.events import Cause, Event, StateEvent
from shared.envelope import new_id
from shared.versioned import Versioned


class Status(Record):
    """One step of a campaign's opportunities. `start` is where new ones begin; won and lost ones are closed."""

    __tablename__ = "campaign_status"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str]
    kind: Mapped[StatusKind]
    position: Mapped[int]
    start: Mapped[bool]

    @property
    def closes(self) -> bool:
        """Whether an opportunity in this status is done with."""
        return self.kind != "open"

    def published(self) -> CampaignStatus:
        """What others may know of it."""
        return CampaignStatus(id=self.id, name=self.name, kind=self.kind, position=self.position, start=self.start)


@dataclass(frozen=True)
class StatusPlan:
    """A status as somebody wants it; without an id it is a new one."""

    name: str
    kind: StatusKind
    start: bool = False
    id: UUID | None = None


FIRST_STATUSES = (StatusPlan("New", "open", start=True), StatusPlan("Won", "won"), StatusPlan("Lost", "lost"))
"""What a campaign has when nobody says otherwise."""


class Campaign(Versioned, Record):
    """One campaign. Whatever changes in it, its people or its statuses raises its one version."""

    __tablename__ = "campaign"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    state: Mapped[Literal["active", "deleted"]]
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]
    manager_ids: Mapped[list[UUID]]
    relevant_ids: Mapped[list[UUID]]
    allow_repeat: Mapped[bool]
    waiting_days: Mapped[int]
    manager_policy: Mapped[ManagerPolicy]
    keep_previous_as_viewer: Mapped[bool]
    method: Mapped[Method]
    automatic: Mapped[bool]
    created_at: Mapped[datetime]

    statuses: Mapped[list[Status]] = relationship(
        order_by=Status.position, lazy="selectin", cascade="all, delete-orphan"
    )
    staff: Mapped[list[StaffMember]] = relationship(
        order_by=StaffMember.position, lazy="selectin", cascade="all, delete-orphan"
    )

    @property
    def staff_ids(self) -> list[UUID]:
        """The staff, in its order."""
        return [member.employee_id for member in self.staff]

    @property
    def start_status(self) -> Status:
        """Where new opportunities begin."""
        return next(status for status in self.statuses if status.start)

    def status(self, status_id: UUID) -> Status | None:
        """One of the campaign's statuses, if it is one."""
        return next((status for status in self.statuses if status.id == status_id), None)

    def begin(self, cause: Cause, statuses: Sequence[StatusPlan]) -> list[Event]:
        """Exist from now on, with these statuses."""
        self._set_statuses(statuses)
        return [self.tell(CampaignChanged, cause)]

    def edit(self, cause: Cause, values: dict[str, Any]) -> Sequence[Event]:
        """Change fields; equal values change nothing."""
        return self.change(CampaignChanged, cause, **values)

    def delete(self, cause: Cause) -> Sequence[Event]:
        """End the campaign for good. Its opportunities are removed by the caller."""
        return self.change(CampaignChanged, cause, state="deleted")

    def replace_staff(self, cause: Cause, members: Iterable[StaffMember]) -> list[Event]:
        """Have exactly these people as staff. The opportunities of those who leave are the caller's to hand on."""
        known, before = {member.employee_id: member for member in self.staff}, self.staff_ids
        unchanged = True
        staff: list[StaffMember] = []
        for position, wanted in enumerate(members):
            wanted.position = position
            member = known.get(wanted.employee_id, wanted)
            if member is wanted or member.plan() != wanted.plan():
                unchanged = False
                member.position, member.weight, member.daily_capacity = position, wanted.weight, wanted.daily_capacity
                member.working_hours, member.days_off = wanted.working_hours, wanted.days_off
            staff.append(member)
        if unchanged and len(staff) == len(known):
            return []
        self.staff = staff
        return [self.tell(CampaignChanged, cause, {"staff_ids": before} if before != self.staff_ids else None)]

    def replace_statuses(self, cause: Cause, plans: Sequence[StatusPlan]) -> list[Event]:
        """Have exactly these statuses, in this order (K1). Those that go may not be in use any more."""
        before = self._published_statuses()
        self._set_statuses(plans)
        if before == self._published_statuses():
            return []
        return [self.tell(CampaignChanged, cause, {"statuses": before})]

    def state_event(self, event: type[Any], cause: Cause, before: dict[str, Any] | None = None) -> Any:
        """As everywhere; what others do not know of a campaign is not named as changed either."""
        public = {name: value for name, value in (before or {}).items() if name in CampaignState.model_fields}
        return super().state_event(event, cause, public)

    def public_state(self) -> CampaignState:
        """What others may know of it."""
        return CampaignState(
            id=self.id,
            code=self.code,
            name=self.name,
            state=self.state,
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            manager_ids=tuple(self.manager_ids),
            relevant_ids=tuple(self.relevant_ids),
            staff_ids=tuple(self.staff_ids),
            allow_repeat=self.allow_repeat,
            statuses=self._published_statuses(),
        )

    def told_again(self) -> StateEvent[CampaignState]:
        """The current state, version unchanged, for a republish."""
        return self.state_event(CampaignChanged, Cause(kind="system"))

    def _set_statuses(self, plans: Sequence[StatusPlan]) -> None:
        known = {status.id: status for status in self.statuses}
        statuses: list[Status] = []
        for position, plan in enumerate(plans):
            status = known[plan.id] if plan.id is not None else Status(id=new_id(), campaign_id=self.id)
            status.name, status.kind, status.start, status.position = plan.name, plan.kind, plan.start, position
            statuses.append(status)
        self.statuses = statuses

    def _published_statuses(self) -> tuple[CampaignStatus, ...]:
        return tuple(status.published() for status in self.statuses)

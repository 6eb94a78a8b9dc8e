"""An automation rule: what it waits for, whom it takes, and what it does with them (K5)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from sqlalchemy.orm import Mapped, mapped_column

from services.campaigns.domain.condition import Check, Node, Subtrees, check_of, trees_in
from services.campaigns.domain.customer_change import CustomerChange
from services.campaigns.domain.mapping import Record
from shared.errors import VersionConflict

MAX_DEPTH = 3
"""How far a rule may lie from whoever began: what rules caused triggers rules, but not for ever."""

OriginKind = Literal["user", "import", "contact_sync", "automation", "api"]
TriggerKind = Literal["created", "group_added", "source_added", "relationship_set"]
WhyLeft = Literal["condition", "already_taken", "too_deep", "limit_per_hour"]


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a rule waits for. Without `origin` any, without `item_id` any; a group stands for its subtree."""

    kind: TriggerKind
    origin: OriginKind | None = None
    item_id: UUID | None = None

    def is_pulled_by(self, change: CustomerChange, subtrees: Subtrees) -> bool:
        """Whether a change is what it waits for."""
        if self.kind == "created":
            return change.created and self.origin in (None, change.facts.origin)
        if self.kind == "relationship_set":
            return change.relationship_id is not None and self.item_id in (None, change.relationship_id)
        new = change.group_ids if self.kind == "group_added" else change.source_ids
        if self.item_id is None:
            return bool(new)
        return not new.isdisjoint(subtrees.get(self.item_id, frozenset((self.item_id,))))


class AddToCampaign(msgspec.Struct, frozen=True, tag_field="kind", tag="add_to_campaign"):
    """Add the customer to a campaign (K2) and, if wanted, give the opportunity to whose turn it is (K4)."""

    campaign_id: UUID
    distribute: bool = False


class AddToGroup(msgspec.Struct, frozen=True, tag_field="kind", tag="add_to_group"):
    """Add the customer to a group."""

    group_id: UUID


class SetRelationship(msgspec.Struct, frozen=True, tag_field="kind", tag="set_relationship"):
    """Set the customer's relationship."""

    relationship_id: UUID


class CreateTask(msgspec.Struct, frozen=True, tag_field="kind", tag="create_task"):
    """Make a task about the customer, for whoever is responsible when it is made."""

    title: str
    type: str


Action = AddToCampaign | AddToGroup | SetRelationship | CreateTask


class Automation(Record):
    """One rule. `since` is when it last began to hold as it is: nothing older triggers it."""

    __tablename__ = "automation"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    active: Mapped[bool]
    max_per_hour: Mapped[int]
    trigger: Mapped[dict[str, Any]]
    condition: Mapped[dict[str, Any] | None]
    actions: Mapped[list[dict[str, Any]]]
    since: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int]

    def require_version(self, expected: int | None) -> None:
        """Raises VersionConflict unless `expected` (from `If-Match`) is the stored version or absent."""
        if expected is not None and expected != self.version:
            raise VersionConflict

    def revise(self, values: dict[str, Any], at: datetime) -> None:
        """Change it; equal values change nothing. What it does anew holds for what happens from now on."""
        changed = {name for name, value in values.items() if getattr(self, name) != value}
        if not changed:
            return
        for name in changed:
            setattr(self, name, values[name])
        self.version += 1
        if self.active and changed & {"active", "trigger", "condition", "actions"}:
            self.since = at

    def delete(self, at: datetime) -> None:
        """End it for good; what it did stays known until it is forgotten."""
        self.active, self.deleted_at, self.version = False, at, self.version + 1


class Rule:
    """An automation ready to be asked about many changes."""

    def __init__(self, automation: Automation, subtrees: Subtrees) -> None:
        self.id, self.max_per_hour, self.since = automation.id, automation.max_per_hour, automation.since
        self.trigger, self._subtrees = trigger_of(automation.trigger), subtrees
        self.actions = actions_of(automation.actions)
        self._met: Check = check_of(automation.condition, subtrees)

    def is_triggered_by(self, change: CustomerChange) -> bool:
        """Whether a change is what the rule waits for, and not older than the rule.

        A customer from before the rule, seen for the first time, has no history to compare with.
        """
        if change.happening.at < self.since or (change.created and change.created_at < self.since):
            return False
        return self.trigger.is_pulled_by(change, self._subtrees)

    def why_not(self, change: CustomerChange) -> WhyLeft | None:
        """Why it leaves a customer alone, as far as the change itself tells; None if it takes them."""
        if change.happening.depth >= MAX_DEPTH:
            return "too_deep"
        return None if self._met(change.facts) else "condition"


def trees_of(trigger: dict[str, Any], condition: Node | None) -> set[UUID]:
    """Groups and sectors whose subtrees a rule needs to know."""
    waits_for = trigger_of(trigger)
    own = {waits_for.item_id} if waits_for.kind == "group_added" and waits_for.item_id else set[UUID]()
    return own | trees_in(condition)


def trigger_of(stored: dict[str, Any]) -> Trigger:
    """A stored trigger."""
    return msgspec.convert(stored, Trigger, strict=False)


def actions_of(stored: Sequence[dict[str, Any]]) -> list[Action]:
    """Stored actions."""
    return msgspec.convert(stored, list[Action], strict=False)

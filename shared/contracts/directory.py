"""Events of `crm.directory`: the employees customers are handed to. Inactive ones stay."""

from uuid import UUID

from shared.contracts.events import Instant, Published, StateEvent, Topic

DIRECTORY = Topic(
    name="crm.directory",
    key="employee id",
    cleanup="compact",
    partitions=1,
    producers=("customers",),
    consumers=("interactions", "imports", "campaigns"),
    description="Every employee, with their superior, active or not.",
)


class EmployeeState(Published):
    """What other services know of an employee.

    `superior_id` makes the tree by which superiors see their people's customers (A2);
    `successor_id` takes over when the employee is deactivated (A6).
    """

    id: UUID
    code: str
    name: str
    department: str | None
    email: str | None
    phone: str | None
    superior_id: UUID | None
    active: bool
    successor_id: UUID | None
    created_at: Instant


class EmployeeChanged(StateEvent[EmployeeState], topic=DIRECTORY, type="crm.employee.changed.v1"):
    """An employee was added, edited, moved, deactivated or activated."""

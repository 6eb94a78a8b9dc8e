"""The copies of customers and employees that services keep: whatever arrives in whatever order, the newest stays."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.customers import CustomerErased, ErasedState
from shared.contracts.events import Event
from tests.conftest import MakeHarness
from tests.support.harness import Harness
from tests.support.records import BY_SYSTEM, customer, employee

BATCHES = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.fixture
async def service(make_harness: MakeHarness) -> Harness:
    """A service that keeps the small copies."""
    return await make_harness("campaigns")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
async def test_the_newest_version_stays_however_records_are_ordered_and_cut(
    service: Harness, batches: list[list[int]]
) -> None:
    """Repeated, late and rewritten records in any batches: the copy ends with the highest version there was."""
    customer_id, employee_id = uuid4(), uuid4()
    for versions in batches:
        await deliver(service, [customer(customer_id, version=v, name=f"tên {v}") for v in versions])
        await deliver(service, [employee(employee_id, version=v, name=f"tên {v}") for v in versions])
    highest = max(version for versions in batches for version in versions)
    for table, key in (("customer", customer_id), ("employee", employee_id)):
        assert await stored(service, table, key) == (highest, f"tên {highest}")


async def test_an_older_version_that_comes_late_changes_nothing(service: Harness) -> None:
    """Topics are repeated after a crash, and written again by operators: what is older is not news."""
    customer_id, employee_id = uuid4(), uuid4()
    for version in (2, 1):
        await deliver(service, [customer(customer_id, version=version, name=f"tên {version}")])
        await deliver(service, [employee(employee_id, version=version, name=f"tên {version}")])
    assert await stored(service, "customer", customer_id) == (2, "tên 2"), "an older version replaced a newer one"
    assert await stored(service, "employee", employee_id) == (2, "tên 2"), "an older version replaced a newer one"


async def test_a_republish_of_the_same_version_repairs_a_copy(service: Harness) -> None:
    """Equal versions are written: that is how a copy that went wrong is made right."""
    customer_id = uuid4()
    await deliver(service, [customer(customer_id, version=4, name="đúng")])
    await service.sql("UPDATE customer SET name = 'hỏng' WHERE id = $1", customer_id)
    await deliver(service, [customer(customer_id, version=3, name="cũ")])
    assert await stored(service, "customer", customer_id) == (4, "hỏng")
    await deliver(service, [customer(customer_id, version=4, name="đúng")])
    assert await stored(service, "customer", customer_id) == (4, "đúng")


async def test_an_erased_customer_stays_erased_whatever_comes_later(service: Harness) -> None:
    """C8: its id is remembered for ever, and nothing else; also when an old record comes in the same batch."""
    customer_id = uuid4()
    erased = CustomerErased(version=5, state=ErasedState(id=customer_id), cause=BY_SYSTEM)
    await deliver(service, [customer(customer_id, version=4, name="Bí Mật", phones=("+84901234567",))])
    await deliver(service, [erased, customer(customer_id, version=3, name="Bí Mật")])
    await deliver(service, [customer(customer_id, version=9, name="Bí Mật")])
    [row] = await service.sql("SELECT name, code, phones, manager_id, state FROM customer WHERE id = $1", customer_id)
    assert tuple(row) == ("", "", [], None, "erased")


async def deliver(service: Harness, events: Sequence[Event]) -> None:
    """One batch of one topic."""
    await service.deliver(*events)


async def stored(service: Harness, table: str, key: UUID) -> tuple[int, str]:
    """Version and name of a copy."""
    [row] = await service.sql(f"SELECT version, name FROM {table} WHERE id = $1", key)
    return row.version, row.name

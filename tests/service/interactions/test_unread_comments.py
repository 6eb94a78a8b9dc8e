"""New Updated: the list and badge of what somebody has not read, right under every change of sight."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from shared.contracts.classification import relationship_id
from shared.envelope import new_id
from tests.service.interactions.discussion import Discussion
from tests.support.records import BEGINNING, employee


async def another_customer(discussion: Discussion, days: float = 0, **values: Any) -> UUID:
    """One more customer of the seller's, created so many days after the first."""
    customer_id = new_id()
    await discussion.change_customer(customer_id, created_at=BEGINNING + timedelta(days=days), **values)
    return customer_id


def customers(page: dict[str, Any]) -> list[tuple[UUID, int]]:
    """The listed customers with their unread comments."""
    return [(UUID(item["customer"]["id"]), item["unread"]) for item in page["items"]]


async def test_what_others_posted_is_unread_by_everybody_who_sees_the_customer(discussion: Discussion):
    """U2: not by its author, not by strangers; holders of `customers:view_all` see everything."""
    first = await discussion.post(discussion.seller_id)
    await discussion.post(discussion.seller_id)
    assert await discussion.badge(discussion.seller_id) == 0
    assert await discussion.badge(discussion.stranger_id) == 0
    for employee_id in (discussion.superior_id, discussion.viewer_id):
        assert await discussion.badge(employee_id) == 2
    assert await discussion.badge(discussion.stranger_id, ["customers:view_all"]) == 2
    [item] = (await discussion.unread(discussion.viewer_id))["items"]
    assert item["first_unread_id"] == first["id"]
    assert item["customer"]["code"].startswith("KH")
    assert (item["customer"]["name"], item["unread"]) == ("Trần Văn Minh", 2)
    assert item["customer"]["created_at"] == BEGINNING.isoformat().replace("+00:00", "Z")


async def test_own_comments_among_others_are_not_unread(discussion: Discussion):
    """U2: each counts what the others said."""
    for employee_id in (discussion.seller_id, discussion.viewer_id, discussion.seller_id):
        await discussion.post(employee_id)
    assert await discussion.badge(discussion.seller_id) == 1
    assert await discussion.badge(discussion.viewer_id) == 2
    assert await discussion.badge(discussion.superior_id) == 3


async def test_reading_marks_up_to_a_comment_and_never_back(discussion: Discussion):
    """U3: what came later stays unread; marking an earlier one changes nothing; each reader has their own mark."""
    first, second, third = [await discussion.post(discussion.seller_id, str(n)) for n in range(3)]
    answer = await discussion.read(discussion.viewer_id, second)
    assert answer == {"customer_id": str(discussion.customer_id), "up_to": second["id"], "unread": 1}
    assert [item["unread"] for item in (await discussion.comments(discussion.viewer_id))["items"]] == [
        True,
        False,
        False,
    ]
    assert (await discussion.read(discussion.viewer_id, first))["up_to"] == second["id"]
    assert await discussion.badge(discussion.viewer_id) == 1
    assert (await discussion.unread(discussion.viewer_id))["items"][0]["first_unread_id"] == third["id"]
    assert (await discussion.read(discussion.viewer_id, third))["unread"] == 0
    assert (await discussion.unread(discussion.viewer_id))["items"] == []
    assert await discussion.badge(discussion.superior_id) == 3


async def test_a_mark_names_a_comment_about_its_customer(discussion: Discussion):
    """U3: an unknown comment, and one about somebody else, mark nothing."""
    other_id = await another_customer(discussion)
    elsewhere = await discussion.post(discussion.seller_id, customer_id=other_id)
    await discussion.post(discussion.seller_id)
    for up_to in (new_id(), elsewhere["id"]):
        refused = await discussion.try_read(discussion.viewer_id, up_to)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/up_to")
    assert (await discussion.try_read(discussion.viewer_id, "7")).status_code == 422
    assert await discussion.badge(discussion.viewer_id) == 2


async def test_deleting_an_unread_comment_lowers_the_badge(discussion: Discussion):
    """U4: also the first unread one, after which the next is the first; a read one lowers nothing."""
    comments = [await discussion.post(discussion.seller_id, str(n)) for n in range(3)]
    author = discussion.client(discussion.seller_id)
    await discussion.read(discussion.viewer_id, comments[0])
    badges = []
    for comment in comments:
        await author.delete(f"/api/v1/comments/{comment['id']}")
        badges.append(await discussion.badge(discussion.viewer_id))
    assert badges == [2, 1, 0]
    assert (await discussion.unread(discussion.viewer_id))["items"] == []


async def test_up_to_a_deleted_comment_can_be_read(discussion: Discussion):
    """U3: it was still there when the reader saw it."""
    comments = [await discussion.post(discussion.seller_id, str(n)) for n in range(2)]
    await discussion.client(discussion.seller_id).delete(f"/api/v1/comments/{comments[1]['id']}")
    assert (await discussion.read(discussion.viewer_id, comments[1]))["unread"] == 0
    assert await discussion.badge(discussion.viewer_id) == 0


async def test_sight_decides_now_what_is_unread_now(discussion: Discussion):
    """U2, A2: who gains sight finds all unread, who loses it nothing, who gains it again their old mark."""
    first = await discussion.post(discussion.seller_id)
    await discussion.post(discussion.seller_id)
    await discussion.read(discussion.viewer_id, first)
    changes: list[tuple[dict[str, Any], tuple[int, int, int]]] = [
        ({}, (1, 2, 0)),
        ({"viewer_ids": ()}, (0, 2, 0)),
        ({"viewer_ids": (discussion.stranger_id,)}, (0, 2, 2)),
        ({"manager_id": discussion.stranger_id}, (1, 0, 2)),
        ({"manager_id": None, "viewer_ids": ()}, (0, 0, 0)),
    ]
    for values, badges in changes:
        await discussion.change_customer(**values)
        people = (discussion.viewer_id, discussion.superior_id, discussion.stranger_id)
        assert tuple([await discussion.badge(one) for one in people]) == badges, values


async def test_a_superior_follows_the_directory(discussion: Discussion):
    """U2, A2: the list is that of the people below one now."""
    await discussion.post(discussion.seller_id)
    assert await discussion.badge(discussion.superior_id) == 1
    await discussion.harness.deliver(employee(discussion.seller_id, version=3, superior_id=discussion.stranger_id))
    assert await discussion.badge(discussion.superior_id) == 0
    assert await discussion.badge(discussion.stranger_id) == 1


async def test_what_was_said_before_somebody_came_is_not_news_to_them(discussion: Discussion):
    """U2: posted after the employee's directory entry, which later changes of theirs do not move."""
    comment = await discussion.post(discussion.seller_id)
    newcomer_id = new_id()
    posted_at = (await discussion.harness.sql("SELECT created_at FROM comment"))[0][0]
    await discussion.harness.deliver(employee(newcomer_id, created_at=posted_at))
    await discussion.change_customer(viewer_ids=(newcomer_id,))
    assert await discussion.badge(newcomer_id) == 0
    assert [item["unread"] for item in (await discussion.comments(newcomer_id))["items"]] == [False]
    later = await discussion.post(discussion.seller_id)
    await discussion.harness.deliver(employee(newcomer_id, version=2, created_at=posted_at, name="Minh"))
    assert await discussion.badge(newcomer_id) == 1
    assert (await discussion.unread(newcomer_id))["items"][0]["first_unread_id"] == later["id"]
    assert (await discussion.read(newcomer_id, comment))["unread"] == 1


async def test_deleted_and_erased_customers_are_left_out(discussion: Discussion):
    """U2: a deleted one comes back with its restoring, what was unread still unread."""
    await discussion.post(discussion.seller_id)
    badges = []
    for state in ("deleted", "active"):
        await discussion.change_customer(state=state)
        badges.append(await discussion.badge(discussion.viewer_id))
    await discussion.erase(discussion.customer_id)
    assert [*badges, await discussion.badge(discussion.viewer_id)] == [0, 1, 0]


async def test_the_customer_created_last_comes_first_page_by_page(discussion: Discussion):
    """U2, P5: by creation, the id breaking ties; the badge is of all pages, the cursor of one reader."""
    days = [3, 1, 2, 2, 0.5]
    ids = [await another_customer(discussion, day) for day in days]
    for number, customer_id in enumerate(ids, start=1):
        for _ in range(number):
            await discussion.post(discussion.seller_id, customer_id=customer_id)
    expected = sorted(zip(days, ids, range(1, 6), strict=True), key=lambda one: (one[0], one[1]), reverse=True)
    seen: list[tuple[UUID, int]] = []
    more: dict[str, Any] = {}
    while True:
        page = await discussion.unread(discussion.viewer_id, limit=2, total=True, **more)
        assert (page["badge"], page["total"]) == (15, 5)
        seen += customers(page)
        if page["next_cursor"] is None:
            break
        more = {"cursor": page["next_cursor"]}
    assert seen == [(customer_id, unread) for _, customer_id, unread in expected]
    foreign = await discussion.client(discussion.superior_id).get("/api/v1/unread-comments", params=more)
    assert (foreign.status_code, foreign.json()["code"]) == (422, "bad_cursor")


async def test_a_limit_of_zero_asks_for_the_badge_alone(discussion: Discussion):
    """U2: no items and no next page; beyond the limits it is refused."""
    await discussion.post(discussion.seller_id)
    alone = await discussion.unread(discussion.viewer_id, limit=0)
    assert alone == {"items": [], "badge": 1, "next_cursor": None, "total": None}
    assert (await discussion.unread(discussion.viewer_id, limit=0, total=True))["total"] == 1
    for limit in (-1, 201, "x"):
        answer = await discussion.client(discussion.viewer_id).get("/api/v1/unread-comments", params={"limit": limit})
        assert answer.status_code == 422


async def test_a_customer_that_changes_keeps_what_was_read(discussion: Discussion):
    """U2: name and code are those of the copy now."""
    comment = await discussion.post(discussion.seller_id)
    await discussion.change_customer(name="Lê Thị Hoa", relationship_id=relationship_id("hot"))
    [item] = (await discussion.unread(discussion.viewer_id))["items"]
    assert item["customer"]["name"] == "Lê Thị Hoa"
    await discussion.read(discussion.viewer_id, comment)
    await discussion.change_customer(name="Lê Thị Hoa B")
    assert await discussion.badge(discussion.viewer_id) == 0

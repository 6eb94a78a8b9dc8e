"""Comments: posting, editing, deleting, mentioning, and what the ledger counts of them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from shared.contracts.interactions import CommentPosted, InteractionRecorded
from shared.envelope import new_id
from tests.service.interactions.discussion import Discussion
from tests.support.records import employee


async def path_of(discussion: Discussion, by: UUID, text: str = "x") -> str:
    """The path of a new comment."""
    return f"/api/v1/comments/{(await discussion.post(by, text))['id']}"


async def age(discussion: Discussion, time: str) -> None:
    """Let all comments be older."""
    await discussion.harness.sql("UPDATE comment SET created_at = created_at - $1::text::interval", time)


async def test_who_sees_a_customer_may_comment_and_others_find_nothing(discussion: Discussion):
    """U1, A2, A3: responsible person, superior and viewer comment and read; to a stranger it is the usual 404."""
    people = [discussion.seller_id, discussion.superior_id, discussion.viewer_id]
    for employee_id in people:
        await discussion.post(employee_id, str(employee_id))
    assert await discussion.texts(discussion.viewer_id) == [str(one) for one in reversed(people)]
    comment = (await discussion.comments(discussion.seller_id))["items"][0]
    stranger = discussion.client(discussion.stranger_id)
    refused = [
        await discussion.try_post(discussion.stranger_id),
        await stranger.get("/api/v1/comments", params={"customer_id": str(discussion.customer_id)}),
        await stranger.get(f"/api/v1/comments/{comment['id']}"),
        await stranger.get(f"/api/v1/comments/{new_id()}"),
        await stranger.patch(f"/api/v1/comments/{comment['id']}", json={"text": "x"}),
        await stranger.delete(f"/api/v1/comments/{comment['id']}"),
        await discussion.try_read(discussion.stranger_id, comment["id"]),
    ]
    assert {answer.status_code for answer in refused} == {404}
    assert len({str({**answer.json(), "trace_id": ""}) for answer in refused}) == 1


async def test_a_comment_is_answered_as_it_is_kept(discussion: Discussion):
    """U1: with its author, its version as ETag, and what the asker may do with it."""
    body = {"customer_id": str(discussion.customer_id), "text": "  Chị Lan\nhẹn <b>thứ hai</b> "}
    answer = await discussion.client(discussion.seller_id).post("/api/v1/comments", json=body)
    comment = answer.json()
    assert comment["text"] == "Chị Lan\nhẹn <b>thứ hai</b>"
    assert (comment["author_id"], comment["author_name"]) == (str(discussion.seller_id), "Lan")
    assert (comment["version"], comment["edited_at"], comment["unread"]) == (1, None, False)
    assert comment["allowed"] == ["change", "delete"]
    assert answer.headers["Location"] == f"/api/v1/comments/{comment['id']}"
    assert answer.headers["ETag"] == '"1"'
    again = await discussion.client(discussion.viewer_id).get(answer.headers["Location"])
    assert again.json() == comment | {"unread": True, "allowed": []}


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""},
        {"text": " \n "},
        {"text": "x" * 10_001},
        {"text": None},
        {"text": "\x00"},
        {"mention_ids": ["7"]},
        {"mention_ids": None},
        {"author_id": str(new_id())},
    ],
)
async def test_a_comment_is_plain_text_of_some_length(discussion: Discussion, wrong: dict[str, Any]):
    """U1: 1 to 10,000 characters, and no field that is not asked for; new and edited alike."""
    body = {"customer_id": str(discussion.customer_id), "text": "x"} | wrong
    assert (await discussion.client(discussion.seller_id).post("/api/v1/comments", json=body)).status_code == 422
    path = await path_of(discussion, discussion.seller_id, "x" * 10_000)
    edited = await discussion.client(discussion.seller_id).patch(path, json=wrong)
    assert (edited.status_code, edited.json()["code"]) == (422, "validation_failed")


async def test_services_do_not_discuss(discussion: Discussion):
    """U1: a comment has an author in the directory; a service that sees everything may only read."""
    await discussion.post(discussion.seller_id, "x")
    service = discussion.harness.client("crm", ["customers:view_all"], "service")
    body = {"customer_id": str(discussion.customer_id), "text": "x"}
    listed = await service.get("/api/v1/comments", params={"customer_id": str(discussion.customer_id)})
    assert ([item["allowed"] for item in listed.json()["items"]], listed.status_code) == ([[]], 200)
    assert (await service.post("/api/v1/comments", json=body)).status_code == 403
    assert (await service.get("/api/v1/unread-comments")).status_code == 403
    assert (await discussion.try_post(discussion.viewer_id)).status_code == 201


async def test_posting_counts_one_and_editing_and_deleting_change_nothing(discussion: Discussion):
    """I8, I10: exact at once; as a fact of our own by the author, no contact with the customer."""
    comment = await discussion.post(discussion.seller_id)
    await discussion.post(discussion.viewer_id)
    assert await discussion.world.count() == 3
    author = discussion.client(discussion.seller_id)
    await author.patch(f"/api/v1/comments/{comment['id']}", json={"text": "y"})
    await author.delete(f"/api/v1/comments/{comment['id']}")
    summary = await discussion.world.summary()
    assert (summary["interaction_count"], summary["last_contact"]) == (3, None)
    assert (await discussion.world.explanation())[f"comment {comment['id']}"] == 1
    explained = await author.get(f"/api/v1/interaction-summaries/{discussion.customer_id}/explanation")
    row = next(item for item in explained.json()["items"] if item["source_id"] == comment["id"])
    assert (row["rule"], row["source_system"], row["employee_id"]) == ("I8", "rapport", str(discussion.seller_id))
    assert row["facts"] == [{"fact": "posted", "occurred_at": comment["created_at"]}]


async def test_what_is_told_of_a_comment_holds_no_word_of_it(discussion: Discussion):
    """U1, C8: ids and mentions in `comment.posted`, a contribution in the ledger's event, no text anywhere."""
    comment = await discussion.post(
        discussion.seller_id, "BÍ MẬT", mention_ids=[str(discussion.superior_id), str(discussion.viewer_id)]
    )
    [posted] = await discussion.harness.told(CommentPosted)
    assert posted.mention_ids == (discussion.superior_id, discussion.viewer_id)
    assert (str(posted.comment_id), posted.author_id) == (comment["id"], discussion.seller_id)
    [recorded] = [event for event in await discussion.harness.told(InteractionRecorded) if event.kind == "comment"]
    assert (recorded.fact, recorded.contribution, recorded.rule) == ("posted", 1, "I8")
    rows = await discussion.harness.sql("SELECT convert_from(payload, 'UTF8') || headers::text FROM outbox")
    assert not any("BÍ MẬT" in row[0] for row in rows)


async def test_only_people_who_may_see_the_customer_are_mentioned(discussion: Discussion):
    """U1: not strangers, not the inactive, not the unknown; each wrong one is named by its place."""
    gone_id = new_id()
    await discussion.harness.deliver(employee(gone_id, active=False))
    await discussion.change_customer(viewer_ids=(discussion.viewer_id, gone_id))
    mentions = [discussion.seller_id, discussion.stranger_id, discussion.superior_id, gone_id, new_id()]
    refused = await discussion.try_post(discussion.viewer_id, mention_ids=[str(one) for one in mentions])
    assert refused.status_code == 422
    assert [e["pointer"] for e in refused.json()["errors"]] == [f"/mention_ids/{n}" for n in (1, 3, 4)]
    twice = [str(discussion.seller_id)] * 2
    assert (await discussion.try_post(discussion.viewer_id, mention_ids=twice)).status_code == 422
    many = [str(new_id()) for _ in range(51)]
    assert (await discussion.try_post(discussion.viewer_id, mention_ids=many)).status_code == 422
    assert await discussion.texts(discussion.seller_id) == []


async def test_of_a_customer_without_a_responsible_person_viewers_may_be_mentioned(discussion: Discussion):
    """U1, A2: nobody is above nobody."""
    await discussion.change_customer(manager_id=None)
    answer = await discussion.try_post(discussion.viewer_id, mention_ids=[str(discussion.viewer_id)])
    assert answer.status_code == 201
    assert (
        await discussion.try_post(discussion.viewer_id, mention_ids=[str(discussion.superior_id)])
    ).status_code == 422


async def test_an_author_edits_for_two_hours(discussion: Discussion):
    """U1: what was said before is gone; the same words are the same version; at two hours it is too late."""
    path = await path_of(discussion, discussion.viewer_id)
    author = discussion.client(discussion.viewer_id)
    edited = await author.patch(path, json={"text": "y", "mention_ids": [str(discussion.seller_id)]})
    comment = edited.json()
    assert (comment["text"], comment["mention_ids"], comment["version"]) == ("y", [str(discussion.seller_id)], 2)
    assert comment["edited_at"] > comment["created_at"]
    for same in ({"text": "y"}, {}, {"mention_ids": [str(discussion.seller_id)]}):
        assert (await author.patch(path, json=same)).headers["ETag"] == '"2"'
    await age(discussion, "1 hour 59 minutes")
    assert (await author.patch(path, json={"text": "z"})).json()["mention_ids"] == [str(discussion.seller_id)]
    await age(discussion, "1 minute")
    assert (await author.get(path)).json()["allowed"] == ["delete"]
    late = await author.patch(path, json={"text": "w"})
    assert (late.status_code, late.json()["code"]) == (403, "forbidden")


async def test_nobody_edits_what_another_wrote(discussion: Discussion):
    """U1: neither the responsible person nor a superior, nor whoever may edit every customer."""
    path = await path_of(discussion, discussion.viewer_id)
    for employee_id in (discussion.seller_id, discussion.superior_id):
        client = discussion.client(employee_id, ["customers:edit_all", "customers:view_all"])
        assert (await client.patch(path, json={"text": "y"})).status_code == 403


async def test_a_mention_may_stay_when_who_is_mentioned_has_lost_sight(discussion: Discussion):
    """U1: an edit is asked about those it adds; somebody new must see the customer."""
    comment = await discussion.post(discussion.seller_id, mention_ids=[str(discussion.viewer_id)])
    await discussion.change_customer(viewer_ids=())
    author, path = discussion.client(discussion.seller_id), f"/api/v1/comments/{comment['id']}"
    kept = [str(discussion.superior_id), str(discussion.viewer_id)]
    assert (await author.patch(path, json={"mention_ids": kept})).json()["mention_ids"] == kept
    refused = await author.patch(path, json={"mention_ids": [*kept, str(discussion.stranger_id)]})
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/mention_ids/2"]


async def test_authors_and_those_who_may_change_the_customer_delete(discussion: Discussion):
    """U1, A3: a viewer deletes their own only; what is deleted is gone for everybody, for changes too."""
    own, others = await path_of(discussion, discussion.viewer_id), await path_of(discussion, discussion.seller_id)
    viewer, superior = discussion.client(discussion.viewer_id), discussion.client(discussion.superior_id)
    assert (await viewer.delete(others)).status_code == 403
    assert (await superior.get(others)).json()["allowed"] == ["delete"]
    await age(discussion, "1 year")
    assert [(await viewer.delete(own)).status_code, (await superior.delete(others)).status_code] == [204, 204]
    assert await discussion.texts(discussion.superior_id) == []
    for method in ("get", "delete"):
        assert (await getattr(viewer, method)(own)).status_code == 404
    assert (await viewer.patch(own, json={"text": "y"})).status_code == 404
    kept = await discussion.harness.sql("SELECT deleted_by FROM comment ORDER BY deleted_by")
    assert sorted(row[0] for row in kept) == sorted(f"user/{i}" for i in (discussion.viewer_id, discussion.superior_id))


async def test_an_author_who_lost_sight_has_lost_their_comments_too(discussion: Discussion):
    """A2, R1: what hangs on an invisible customer is the 404 of an unknown one."""
    path = await path_of(discussion, discussion.viewer_id)
    await discussion.change_customer(viewer_ids=())
    author = discussion.client(discussion.viewer_id)
    answers = [await author.get(path), await author.patch(path, json={"text": "y"}), await author.delete(path)]
    assert {answer.status_code for answer in answers} == {404}


async def test_of_two_edits_of_one_version_one_wins(discussion: Discussion):
    """U1: no lost update; a stale version is 412, for deleting too."""
    path = await path_of(discussion, discussion.seller_id)
    author = discussion.client(discussion.seller_id)
    edits = [author.patch(path, json={"text": f"y{n}"}, headers={"If-Match": '"1"'}) for n in range(2)]
    answers = await asyncio.gather(*edits)
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    stale = await author.delete(path, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "version_conflict")
    assert (await author.delete(path, headers={"If-Match": '"2"'})).status_code == 204


async def test_comments_posted_at_once_follow_each_other(discussion: Discussion):
    """U3: each is later than all before it, so that an order to read them in exists."""
    await asyncio.gather(*(discussion.post(discussion.seller_id, str(n)) for n in range(12)))
    pages: list[dict[str, Any]] = []
    cursor: str | None = None
    while not pages or cursor:
        more = {"cursor": cursor} if cursor else {}
        page = await discussion.comments(discussion.seller_id, limit=5, total=True, **more)
        pages.append(page)
        cursor = page["next_cursor"]
    moments = [item["created_at"] for page in pages for item in page["items"]]
    assert (moments, len(set(moments))) == (sorted(moments, reverse=True), 12)
    assert {page["total"] for page in pages} == {12}
    oldest_first = await discussion.comments(discussion.seller_id, sort="created_at", limit=7)
    assert [item["created_at"] for item in oldest_first["items"]] == sorted(moments)[:7]
    wrong = {"customer_id": str(discussion.customer_id), "cursor": oldest_first["next_cursor"]}
    other_sort = await discussion.client(discussion.seller_id).get("/api/v1/comments", params=wrong)
    assert other_sort.json()["code"] == "bad_cursor"
    assert await discussion.world.count() == 13


async def test_of_a_deleted_customer_nothing_is_said(discussion: Discussion):
    """A2, R1: its discussion is kept, shown to holders of `customers:delete` alone, and closed."""
    await discussion.post(discussion.seller_id)
    await discussion.change_customer(state="deleted")
    assert (await discussion.try_post(discussion.seller_id)).status_code == 404
    parameters = {"customer_id": str(discussion.customer_id)}
    assert (await discussion.client(discussion.seller_id).get("/api/v1/comments", params=parameters)).status_code == 404
    deleter = discussion.client(discussion.seller_id, ["customers:delete"])
    assert len((await deleter.get("/api/v1/comments", params=parameters)).json()["items"]) == 1


async def test_an_erased_customers_discussion_is_gone(discussion: Discussion):
    """C8: comments, read marks, and the answers kept for repetitions; those of others stay."""
    other_id = new_id()
    await discussion.change_customer(other_id)
    body = {"customer_id": str(discussion.customer_id), "text": "BÍ MẬT"}
    client = discussion.client(discussion.seller_id)
    for customer_id in (discussion.customer_id, other_id):
        given = body | {"customer_id": str(customer_id)}
        posted = await client.post("/api/v1/comments", json=given, headers={"Idempotency-Key": f"k{customer_id}"})
        await discussion.read(discussion.viewer_id, posted.json())
    await discussion.erase(discussion.customer_id)
    for table in ("comment", "discussion", "read_mark"):
        left = await discussion.harness.sql(f"SELECT customer_id FROM {table}")
        assert [row[0] for row in left] == [other_id], table
    answers = await discussion.harness.sql("SELECT answer::text FROM idempotency")
    assert len(answers) == 1
    assert str(other_id) in answers[0][0]


async def test_a_comment_that_meets_an_erasure_does_not_outlive_it(discussion: Discussion):
    """C8: whichever of the two comes first, nothing of the comment is left."""
    posting = [asyncio.create_task(discussion.try_post(discussion.seller_id, str(n))) for n in range(8)]
    await discussion.erase(discussion.customer_id)
    assert {answer.status_code for answer in await asyncio.gather(*posting)} <= {201, 404}
    for table in ("comment", "discussion", "fact", "ledger"):
        assert await discussion.harness.sql(f"SELECT 1 FROM {table}") == [], table

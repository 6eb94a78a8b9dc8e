"""Every path of every service refuses what it must, with the right code, and writes nothing then.

Which requests there are is read from the documents; a path that is added tomorrow is asked the same.
"""

from uuid import uuid4

import httpx

from tests.service.every_path.conftest import Served
from tests.service.every_path.requests import Request

OPEN_TO_ALL = frozenset(
    {
        "/api/v1/customers",
        "/api/v1/customers/assign",
        "/api/v1/customers/assign/preview",
        "/api/v1/customers/check",
        "/api/v1/customers/search",
        "/api/v1/selections",
        "/api/v1/views",
        "/api/v1/contact-syncs",
        "/api/v1/interactions/facts",
    }
)
"""What any active employee may write to without any right: their own, or items that fail one by one."""


def said(answer: httpx.Response) -> str:
    """What an answer says, for a message."""
    return f"{answer.status_code} {answer.text[:300]}"


async def test_nobody_is_answered_without_a_token(served: Served) -> None:
    """R2: 401 on every path, before anything of the request is looked at."""
    strangers = [served.harness.client_with(None), served.harness.client_with("x.y.z")]
    for _, request in served.paths.fitting():
        for stranger in strangers:
            answer = await served.send(stranger, request)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), request


async def test_who_is_not_in_the_directory_is_refused_everywhere(served: Served) -> None:
    """A6, R2: an unknown `sub` reads like an inactive one, on every path, whatever its token permits."""
    unknown = served.harness.client(uuid4(), ["customers:view_all"])
    for _, request in served.paths.fitting():
        answer = await served.send(unknown, request)
        assert (answer.status_code, answer.json()["code"]) == (403, "inactive_employee"), (request, said(answer))


async def test_what_is_no_id_is_an_unknown_id(served: Served) -> None:
    """A2, R1: 404 on every path, by every method."""
    for request in served.paths.malformed_ids():
        answer = await served.send(served.admin, request)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (request, said(answer))


async def test_a_record_that_nobody_knows_is_not_found_whoever_asks(served: Served) -> None:
    """A2, R1: a well-formed request about an unknown record is 404 (403 where a right is missing before)."""
    for path, request in served.paths.fitting():
        if "{" not in path:
            continue
        answer = await served.send(served.admin, request)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (request, said(answer))
        answer = await served.send(served.seller, request)
        assert answer.status_code in (403, 404), (request, said(answer))


async def test_who_has_no_right_writes_nowhere(served: Served) -> None:
    """R1: every write by somebody without permission, about nobody they see, is 403 or 404 and leaves no row."""
    before = await served.harness.fingerprint()
    for path, request in served.paths.fitting():
        if request.method == "GET" or path in OPEN_TO_ALL:
            continue
        answer = await served.send(served.seller, request)
        assert (answer.status_code, answer.json()["code"]) in ((403, "forbidden"), (404, "not_found")), (
            request,
            said(answer),
        )
    assert await served.harness.fingerprint() == before


async def test_every_field_unknown_of_another_type_or_past_its_limits_is_refused_with_a_pointer(
    served: Served,
) -> None:
    """Bodies and parameters of every path: 422 that points at the field, before the record is looked for."""
    before = await served.harness.fingerprint()
    wrong: list[str] = []
    for request in (*served.paths.broken_bodies(), *served.paths.broken_queries()):
        answer = await served.send(served.admin, request)
        if not refuses(answer, request):
            wrong.append(f"{request} → {said(answer)}")
    assert not wrong, "\n".join([f"{len(wrong)} are not refused:", *wrong[:40]])
    assert await served.harness.fingerprint() == before


def refuses(answer: httpx.Response, request: Request) -> bool:
    """Whether an answer is a 422 that points at what is wrong, or fails the one item that is wrong."""
    body = answer.json()
    if answer.status_code == 200 and body.get("failed"):
        return True
    if answer.status_code != 422:
        return False
    pointers = [error["pointer"] for error in body["errors"]]
    return any(pointer.startswith(request.pointer) for pointer in pointers) or body["code"] == "too_many_items"

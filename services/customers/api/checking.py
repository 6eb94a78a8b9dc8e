"""`/customers/check`: is a phone or a code taken?"""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Header, Response
from pydantic import AfterValidator, BaseModel
from pydantic_core import PydanticCustomError

from services.customers.api.revealing import RevealLimitsDep
from services.customers.commands.checking import check_code, check_phones
from shared.fields import Code, RequestModel, Text
from shared.http import ActorDep, SessionDep, json_text, router
from shared.phones import BadPhone, normalize
from shared.problems import problem

checking = router("customers")

MAX_CHECKED = 100
"""Phones of one request."""


def _bounded(phones: list[str]) -> list[str]:
    if len(phones) > MAX_CHECKED:
        raise PydanticCustomError("too_many_items", "at most {limit} phones", {"limit": MAX_CHECKED})
    return phones


class CheckRequest(RequestModel):
    """Phones as people write them, and a code."""

    phones: Annotated[list[Text], AfterValidator(_bounded)] = []
    code: Code | None = None


class CheckedPhone(BaseModel):
    """A phone as it was asked for; `customer_id` of a taken one for those who see the customer."""

    phone: str
    state: Literal["free", "taken", "invalid"]
    customer_id: UUID | None = None


class CheckedCode(BaseModel):
    """A code, raised to upper case."""

    code: str
    state: Literal["free", "taken"]
    customer_id: UUID | None = None


class CheckAnswer(BaseModel):
    """What is taken and what is free; `code` is null when none was asked for."""

    phones: list[CheckedPhone]
    code: CheckedCode | None = None


@checking.post("/customers/check", response_model=CheckAnswer)
async def post_check(
    body: CheckRequest,
    session: SessionDep,
    actor: ActorDep,
    limits: RevealLimitsDep,
    accept_language: Annotated[str | None, Header()] = None,
) -> Response:
    """Which phones and which code are taken; how often hidden customers may be told of is limited (R3)."""
    numbers = {phone: _normalized(phone) for phone in body.phones}
    wanted = list(dict.fromkeys(number for number in numbers.values() if number is not None))
    found = await check_phones(session, actor, wanted, limits.reveal_single_per_hour)
    if found is None:  # answered, not raised: what was told up to the limit stays counted
        return problem(accept_language, "rate_limited")
    phones = [
        CheckedPhone(phone=phone, state="invalid")
        if number is None
        else CheckedPhone(phone=phone, state=found[number].state, customer_id=found[number].customer_id)
        for phone, number in ((phone, numbers[phone]) for phone in body.phones)
    ]
    code = await check_code(session, actor, body.code) if body.code is not None else None
    checked = CheckedCode(code=body.code, **vars(code)) if body.code is not None and code is not None else None
    return json_text(CheckAnswer(phones=phones, code=checked).model_dump_json())


def _normalized(text: str) -> str | None:
    try:
        return normalize(text)
    except BadPhone:
        return None

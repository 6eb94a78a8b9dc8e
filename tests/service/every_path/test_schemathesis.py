"""Requests that fit the documents, and requests that do not: answered as the documents say, never with a fault of ours.

`RAPPORT_FUZZ_EXAMPLES` says how many of each kind an operation is asked, by each of two users: few in a
usual run, many by `make fuzz`.
"""

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.service.every_path.conftest import Served
from tests.support.harness import BASE_URL

EXAMPLES = int(os.environ.get("RAPPORT_FUZZ_EXAMPLES", "1"))
CHECKS: list[Any] = [not_a_server_error, content_type_conformance, response_schema_conformance]
SLOW_BUT_FINE = (
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
)
STREAMED = ("/events", "/file", "/result-file", "/before-file", "/template")
"""Answers that are no JSON, or that do not end."""


async def test_two_users_are_answered_as_the_document_says(served: Served) -> None:
    """A2, R1: whatever is sent by somebody with every permission and by somebody with none."""
    document = schemathesis.openapi.from_dict(served.document)
    wrong: list[str] = []
    for found in document.get_all_operations():
        operation = found.ok()  # pyright: ignore[reportAttributeAccessIssue]  # an invalid operation fails here, as it should
        if operation.path.endswith(STREAMED):
            continue
        for case in cases(operation):
            sent = case.as_transport_kwargs(base_url=BASE_URL)
            body = {"json": sent["json"]} if "json" in sent else {}
            for client in (served.admin, served.seller):
                answer = await client.request(sent["method"], sent["url"], params=sent["params"], **body)
                try:
                    case.validate_response(answer, checks=CHECKS)
                except FailureGroup as failures:
                    wrong.append(f"{operation.label}: {[str(one) for one in failures.exceptions]} {str(body)[:500]}")
    assert not wrong, "\n".join(wrong[:20])


def cases(operation: APIOperation) -> list[Case]:
    """Some requests that fit an operation, and some that do not; the same in each usual run."""
    made: list[Case] = []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @settings(
            max_examples=EXAMPLES,
            derandomize="RAPPORT_FUZZ_EXAMPLES" not in os.environ,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=SLOW_BUT_FINE,
        )
        @given(operation.as_strategy(generation_mode=mode))
        def collect(case: Case) -> None:
            made.append(case)

        collect()
    return made

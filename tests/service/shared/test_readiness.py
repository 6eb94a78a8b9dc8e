"""What `/health/ready` says of a real database."""

from tests.conftest import MakeHarness


async def test_a_service_that_never_heard_of_its_topics_is_not_ready_and_says_which(make_harness: MakeHarness) -> None:
    """Only the topics are missing: database, schema and outbox are looked at without complaint."""
    imports = await make_harness("imports")
    answer = await imports.client_with(None).get("/health/ready")
    assert answer.status_code == 503
    problems = answer.json()["problems"]
    assert {problem.split(":")[0] for problem in problems} == {
        "crm.customers",
        "crm.classification",
        "crm.directory",
        "crm.import-results",
    }

"""What a running service says of itself."""

from tests.conftest import MakeHarness


async def test_a_service_serves_the_document_that_is_checked_in(make_harness: MakeHarness) -> None:
    """Who asks a running service for its OpenAPI document gets the complete one, without a token."""
    service = await make_harness("imports")
    answer = await service.client_with(None).get("/openapi.json")
    assert answer.status_code == 200
    document = answer.json()
    made = document["paths"]["/api/v1/imports"]["post"]
    assert made["operationId"] == "create_import"
    assert "links" in made["responses"]["201"]
    assert "HTTPValidationError" not in document["components"]["schemas"]

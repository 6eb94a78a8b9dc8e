"""Operations are named by one grammar."""

import pytest

from shared.documents.operations import named

NAMES = {
    "GET /customers": "list_customers",
    "POST /customers": "create_customer",
    "GET /customers/{customer_id}": "get_customer",
    "PATCH /customers/{customer_id}": "update_customer",
    "DELETE /customers/{customer_id}": "delete_customer",
    "POST /customers/{customer_id}/restore": "restore_customer",
    "PUT /customers/{customer_id}/manager": "set_customer_manager",
    "PUT /customers/{customer_id}/viewers/{employee_id}": "set_customer_viewer",
    "GET /customers/{customer_id}/access": "get_customer_access",
    "POST /customers/search": "search_customers",
    "GET /settings": "get_settings",
    "GET /opportunity-batches/{work_id}": "get_opportunity_batch",
    "GET /opportunities": "list_opportunities",
    "POST /opportunities": "create_opportunity",
    "PUT /campaigns/{campaign_id}/statuses": "set_campaign_statuses",
    "POST /campaigns/{campaign_id}/distribute/simulation": "simulate_campaign_distribute",
    "GET /interaction-summaries/{customer_id}/explanation": "get_interaction_summary_explanation",
    "PATCH /imports/{import_id}/rows": "update_import_rows",
}


@pytest.mark.parametrize("operation", NAMES)
def test_a_name_follows_from_method_and_path(operation: str) -> None:
    """Nobody has to look a name up, and no two services name the same thing differently."""
    method, path = operation.split()
    assert named(method, f"/api/v1{path}") == NAMES[operation]

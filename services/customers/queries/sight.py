"""The customers somebody sees, as the beginning of a statement: counts beside lists start from here (A2)."""

from services.customers.domain.search_text import viewer_lexeme
from shared.identity import Actor


def seen_customers(actor: Actor, first: int) -> tuple[str, list[object]]:
    """`FROM … WHERE …` over live customers `c` that the actor sees, and its parameters from `$first` on.

    Who sees everything reads the customers themselves; others start from the index that holds their sight.
    """
    if actor.sees_everything:
        return "FROM customer c WHERE c.state = 'active'", []
    if actor.employee_id is None:
        return "FROM customer c WHERE false", []
    return (
        "FROM customer_search s JOIN customer c ON c.id = s.customer_id"
        f" WHERE (s.manager_id = ANY(${first}::uuid[]) OR s.words @@ ${first + 1}::tsquery)",
        [list(actor.reach), f"'{viewer_lexeme(actor.employee_id)}'"],
    )

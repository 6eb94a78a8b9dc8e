"""Rows of an export, written by PostgreSQL as lines of JSON: what people call things, as files take it back (M14).

Whatever is exported can be uploaded again and changes nothing: options are named as their cells are
read, phones are national, a name that two have is replaced by its code.
"""

from collections.abc import Sequence
from uuid import UUID

from shared.access import visible_sql
from shared.contracts.customer_fields import BY_NAME, CUSTOMER_FIELDS, CustomerField
from shared.database import Session, run
from shared.errors import Invalid
from shared.identity import Actor

_NATIONAL = "CASE WHEN phone LIKE '+84%' THEN '0' || substr(phone, 4) ELSE phone END"
_QUOTED = "CASE WHEN label ~ '[,\"]' THEN '\"' || replace(label, '\"', '\"\"') || '\"' ELSE label END"
_MOMENT = "to_char({at} AT TIME ZONE current_setting('rapport.zone'), 'YYYY-MM-DD HH24:MI:SS')"

_TYPES = {"vi": ("Cá nhân", "Công ty"), "en": ("Person", "Company")}
_GENDERS = {"vi": ("Nam", "Nữ", "Khác"), "en": ("Male", "Female", "Other")}
SHEETS = {"vi": "Khách hàng", "en": "Customers"}

_LABELS = """
WITH option AS MATERIALIZED (
    SELECT id, CASE
        WHEN count(*) OVER (PARTITION BY kind, name_folded) > 1
          OR EXISTS (SELECT FROM classification_item other
                     WHERE other.kind = item.kind AND other.code = upper(item.name) AND other.id <> item.id)
        THEN code ELSE name END AS label
    FROM classification_item item
), person AS MATERIALIZED (
    SELECT id, CASE WHEN count(*) OVER (PARTITION BY name_folded) > 1 THEN code ELSE name END AS label FROM employee
)
"""
_ROWS = """
SELECT string_agg(json_build_array({cells})::text, E'\\n' ORDER BY place), count(*)
FROM unnest($1::uuid[]) WITH ORDINALITY AS listed(customer_id, place)
JOIN customer c ON c.id = listed.customer_id
JOIN customer_contact n ON n.customer_id = c.id
JOIN relationship r ON r.id = c.relationship_id
WHERE c.state = 'active' AND {visible}
"""


def export_fields(names: Sequence[str] | None) -> list[CustomerField]:
    """The columns of an export, the customer's id first; all there are where none are named. Raises Invalid."""
    wanted = dict.fromkeys(["customer_id", *(names if names is not None else BY_NAME)])
    for index, name in enumerate(names or ()):
        if name not in BY_NAME:
            raise Invalid.at(f"/columns/{index}", detail="no such column")
    return [BY_NAME[name] for name in wanted]


async def export_rows(
    session: Session, actor: Actor, customer_ids: Sequence[UUID], columns: Sequence[str], language: str
) -> tuple[str, int]:
    """Those of the customers that the actor sees, as lines of JSON in their order, and how many they are."""
    visible, parameters = visible_sql(actor, "c", 2)
    words = _words(language) | {"seen": visible_sql(actor, "f", 2)[0], "language": language}
    cells = ", ".join(_CELLS[name].format(**words) for name in columns)
    found = await run(session, _LABELS + _ROWS.format(cells=cells, visible=visible), list(customer_ids), *parameters)
    lines, count = found.one()
    return lines or "", count


def _words(language: str) -> dict[str, str]:
    person, company = _TYPES[language]
    male, female, other = _GENDERS[language]
    return {"person": person, "company": company, "male": male, "female": female, "other": other}


def _options(ids: str) -> str:
    return (
        f"(SELECT string_agg({_QUOTED}, ', ' ORDER BY had) FROM unnest({ids}) WITH ORDINALITY AS chosen(id, had)"
        " JOIN option USING (id))"
    )


_CELLS = {
    "customer_id": "c.id",
    "type": "CASE c.type WHEN 'company' THEN '{company}' ELSE '{person}' END",
    "phones": f"(SELECT string_agg({_NATIONAL}, ', ' ORDER BY had)"
    " FROM unnest(c.phones) WITH ORDINALITY AS p(phone, had))",
    "emails": "nullif(array_to_string(c.emails, ', '), '')",
    "gender": "CASE c.gender WHEN 'male' THEN '{male}' WHEN 'female' THEN '{female}' WHEN 'other' THEN '{other}' END",
    "address": "c.address->>'line'",
    "province": "c.address->>'province'",
    "groups": _options("c.group_ids"),
    "sources": _options("c.source_ids"),
    "sectors": _options("c.sector_ids"),
    "relationship": "r.name_{language}",
    "referrer": "(SELECT CASE WHEN {seen} THEN f.code ELSE f.id::text END FROM customer f"
    " WHERE f.id = c.referrer_customer_id)",
    "manager": "(SELECT label FROM person WHERE id = c.manager_id)",
    "interaction_count": "n.interaction_count",
    "order_count": "n.order_count",
    "total_revenue": "n.total_revenue",
    "last_contact_at": _MOMENT.format(at="n.last_contact_at"),
    "created_at": _MOMENT.format(at="c.created_at"),
    "updated_at": _MOMENT.format(at="c.updated_at"),
    **{
        name: f"c.{name}"
        for name in (
            "code", "name", "birth_date", "occupation", "income_band", "company_name", "tax_code", "website",
            "description",
        )
    },
}  # fmt: skip

assert _CELLS.keys() == {field.field for field in CUSTOMER_FIELDS}, "every column of the catalogue can be exported"

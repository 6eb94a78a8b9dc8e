"""How an import is meant to treat what it finds: the choices of its uploader (M3, M4, M6)."""

from uuid import UUID

from shared.fields import RequestModel


class ImportOptions(RequestModel):
    """`overwrite`: matches are updated instead of refused (M4). `match_by_phone`: a row without id and
    code means the customer with its phone (M3). `create_missing_options`: groups, sources and sectors
    that cells name and nobody knows are created; `append_multi_select`: options of a cell are added
    instead of replacing the set (M6). `employee_id`: responsible person of rows that name none.
    """

    overwrite: bool = False
    match_by_phone: bool = False
    create_missing_options: bool = False
    append_multi_select: bool = False
    employee_id: UUID | None = None

"""Two files: one of 2,000 rows is reviewed and becomes customers; one that overwrites is corrected, and undone."""

import time
from collections.abc import Sequence
from typing import Any

from deploy.demo.api import CSV, until
from deploy.demo.cast import Cast, called, counts, title
from deploy.demo.generate import DATA_FOLDER, EXPECTED_CREATED, EXPECTED_ERRORS, ROWS

OVERWRITTEN = 4
OCCUPATIONS = ("Kiến trúc sư", "Chủ cửa hàng")


def file_becomes_customers(cast: Cast) -> str:
    """Upload, mapping, preview, confirm, outcomes; answers the import's id."""
    title(f"A file of {ROWS:,} rows is reviewed, confirmed, and becomes customers")
    content = (DATA_FOLDER / "customers.xlsx").read_bytes()
    made = cast.admin.upload("/imports", "khách hàng.xlsx", content, kind="customers", repeat="true")
    path = f"/imports/{made['id']}"
    proposal = _when(cast, path, "awaiting_mapping")["mapping"]
    header = cast.admin.get(path)["header"]
    found = [f"{header[c['index']]} → {c['field'] or '(left out)'}" for c in proposal["columns"]]
    print(f"  Header in row {proposal['header_row']}: {'; '.join(found[:5])}; …")
    _map(cast, path, proposal)
    ready = _when(cast, path, "ready")
    print(f"  Preview: {counts(ready['counts'])}. In the file: {sum(EXPECTED_ERRORS.values())} faulty rows.")
    for row in cast.admin.get(f"{path}/rows", outcome="error", limit=3)["items"]:
        print(f"    row {row['row']}: {', '.join(error['code'] for error in row['errors'])}")
    started = time.monotonic()
    done = _confirm(cast, path)
    print(f"  Confirmed → every outcome: {counts(done['counts'])} in {time.monotonic() - started:.2f} s.")
    if done["counts"].get("created") not in (None, EXPECTED_CREATED):
        print("  (This file was imported before: phones that are taken are errors of their rows.)")
    return made["id"]


def file_overwrites_and_is_undone(cast: Cast, customers: list[dict[str, Any]]) -> None:
    """Old → new before anything happens, a cell corrected in place, and everything taken back but what was touched."""
    title("A second file overwrites four customers, and is taken back")
    customers = [cast.admin.get(f"/customers/{customer['id']}") for customer in customers[:OVERWRITTEN]]
    lines = ["Mã khách hàng;Nghề nghiệp;Ngày sinh"]
    for place, customer in enumerate(customers):
        occupation = next(one for one in OCCUPATIONS if one != customer["occupation"])
        lines.append(f"{customer['code']};{occupation};{'31/02/1990' if place == 0 else ''}")
    content = "\r\n".join(lines).encode("utf-8-sig")
    made = cast.admin.upload("/imports", "nghề nghiệp.csv", content, CSV, kind="customers", repeat="true")
    path = f"/imports/{made['id']}"
    proposal = _when(cast, path, "awaiting_mapping")["mapping"]
    cast.admin.put(f"{path}/options", {"overwrite": True})
    _map(cast, path, proposal, customers)
    ready = _when(cast, path, "ready")
    [wrong] = cast.admin.get(f"{path}/rows", outcome="error")["items"]
    print(f"  Preview: {counts(ready['counts'])}; row {wrong['row']}: {wrong['errors'][0]['code']} (31 February).")
    cast.admin.patch(f"{path}/rows", {"items": [{"row": wrong["row"], "cells": {"birth_date": "28/02/1990"}}]})
    _when(cast, path, "ready")
    print("  The cell is corrected where it stands. What would change:")
    for row in cast.admin.get(f"{path}/rows", outcome="update")["items"]:
        changes = (f"{name}: {one['old'] or '(empty)'} → {one['new']}" for name, one in row["changes"].items())
        print(f"    row {row['row']}, {row['code']}: {'; '.join(changes)}")
    print(f"  Confirmed: {counts(_confirm(cast, path)['counts'])}.")
    touched = customers[-1]
    cast.admin.patch(f"/customers/{touched['id']}", {"occupation": "Giáo viên"})
    print(f"  Somebody then edits {called(touched)} by hand. Undo:")
    cast.admin.post(f"{path}/undo", {})
    undone = _when(cast, path, "undone")
    [kept] = cast.admin.get(f"{path}/rows", outcome="kept")["items"]
    print(
        f"    {counts(undone['counts'])}; row {kept['row']} keeps {', '.join(kept['kept_fields'])} ({kept['reason']})."
    )
    back = cast.admin.get(f"/customers/{customers[0]['id']}")
    print(f"    {called(back)} is {back['occupation'] or 'without an occupation'} again.")


def _map(cast: Cast, path: str, proposal: dict[str, Any], wait_for: Sequence[dict[str, Any]] = ()) -> None:
    columns = [{"index": column["index"], "field": column["field"]} for column in proposal["columns"]]
    mapping = {"header_row": proposal["header_row"], "columns": columns}
    cast.admin.put(f"{path}/mapping", mapping, wait_for)


def _confirm(cast: Cast, path: str) -> dict[str, Any]:
    cast.admin.post(f"{path}/confirm", {"skip_errors": True})
    for event in cast.admin.events(f"{path}/events"):
        if event["state"] in ("finished", "failed"):
            break
    return cast.admin.get(path)


def _when(cast: Cast, path: str, state: str) -> Any:
    def look() -> Any:
        record = cast.admin.get(path)
        if record["state"] == "failed":
            raise RuntimeError(f"the import failed: {record}")
        return record if record["state"] == state else None

    return until(look)

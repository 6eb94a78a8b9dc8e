"""Who takes part in the demonstration, and how it speaks: people with tokens, names by id, chapters, numbers."""

from typing import Any

from deploy.demo.api import Person, Place, until
from deploy.local.keys import ADMINISTRATOR_ID, ADMINISTRATOR_PERMISSIONS

TEAM = ("Trần Thu Hà", "Lê Quốc Minh", "Phạm Ngọc Lan", "Đặng Văn Tú")


class Cast:
    """The people of one telling. Names are looked up once, so that lines read like sentences."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.admin = Person(place, ADMINISTRATOR_ID, ADMINISTRATOR_PERMISSIONS)
        self.mailer = Person(place, "demo-mailer", ("interactions:ingest",), "service")
        self.names: dict[str | None, str] = {None: "nobody", ADMINISTRATOR_ID: "the administrator"}
        self.head, self.team = "", list[str]()

    def hire(self) -> None:
        """A head and her team, known to every service."""
        title("A sales team")
        self.head = self._employee("Nguyễn Hải Yến (trưởng nhóm)", None)
        self.team = [self._employee(name, self.head) for name in TEAM]
        for person in (self.head, *self.team):
            until(lambda person=person: self._known(person))
        print(f"  {self.names[self.head]} leads {', '.join(self.names[person] for person in self.team)}.")

    def as_(self, employee_id: str) -> Person:
        """One of them, with no permission but their own."""
        return Person(self.place, employee_id)

    def value(self, kind: str, name: str, **more: Any) -> dict[str, Any]:
        """A group, sector or source of this name, made unless an earlier telling did."""
        found = [item for item in self.admin.pages(f"/{kind}", q=name) if item["name"] == name]
        return found[0] if found else self.admin.post(f"/{kind}", {"name": name} | more)

    def _employee(self, name: str, superior_id: str | None) -> str:
        made = self.admin.post("/employees", {"name": name, "superior_id": superior_id})
        self.names[made["id"]] = name
        return made["id"]

    def _known(self, employee_id: str) -> bool:
        person = self.as_(employee_id)
        return all(person.status(path) != 403 for path in ("/opportunities", "/interaction-summaries/0"))


def title(text: str) -> None:
    """A chapter."""
    print(f"\n{text}\n{'─' * len(text)}")


def counts(outcomes: dict[str, int]) -> str:
    """Outcomes as words."""
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(outcomes.items()))


def money(amount: dict[str, Any] | None) -> str:
    """An amount as people write it."""
    return "none" if amount is None else f"{amount['amount']:,} {amount['currency']}"


def called(customer: dict[str, Any]) -> str:
    """A customer's name and code."""
    return f"{' '.join(customer['name'].split())} ({customer['code']})"

"""Plausible Vietnamese customers without end: the same seed gives the same ones, on every machine.

`customers` is fast enough to fill a bench; no two of its customers share a phone. Only
`Random.random` is used, since it alone is promised to stay the same between versions of Python.
"""

from collections.abc import Iterator
from datetime import date
from random import Random
from typing import Any

from deploy.demo import vocabulary
from deploy.demo.vocabulary import Weighted
from shared.folding import fold

_COMPANY_SHARE = 0.12
_EMAIL_SHARE = 0.55
_ADDRESS_SHARE = 0.8
_EMPLOYED_SHARE = 0.2
_FIRST_BIRTH_DAY = date(1955, 1, 1).toordinal()
_LAST_BIRTH_DAY = date(2006, 12, 31).toordinal()
_MAIL_DOMAINS: Weighted = (("example.com", 7), ("example.net", 2), ("example.org", 1))
_LINE_NUMBERS = 10_000_000
# Odd and no multiple of 5, so that it walks through all line numbers before one comes again.
_LINE_NUMBER_STEP = 6_180_339


def customers(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Customers as a caller would post them: names of fields as the API's, phones in E.164, all distinct.

    `count` is at most ten million, the number of line numbers behind a prefix.
    """
    if count > _LINE_NUMBERS:
        raise ValueError(f"at most {_LINE_NUMBERS} customers have phones of their own")
    maker = _Maker(seed)
    for index in range(count):
        yield maker.customer(index)


class _Pool:
    """Draws words by weight, from a list that holds each as often as it weighs."""

    def __init__(self, words: Weighted) -> None:
        self._words = [word for word, weight in words for _ in range(weight)]

    def draw(self, random: Random) -> str:
        return self._words[int(random.random() * len(self._words))]


_FAMILY = _Pool(vocabulary.FAMILY_NAMES)
_MIDDLE = {"male": _Pool(vocabulary.MIDDLE_NAMES_OF_MEN), "female": _Pool(vocabulary.MIDDLE_NAMES_OF_WOMEN)}
_GIVEN = {"male": _Pool(vocabulary.GIVEN_NAMES_OF_MEN), "female": _Pool(vocabulary.GIVEN_NAMES_OF_WOMEN)}
_FORMS = _Pool(vocabulary.COMPANY_FORMS)
_TRADES = _Pool(vocabulary.COMPANY_TRADES)
_COMPANIES = _Pool(vocabulary.COMPANY_NAMES)
_OCCUPATIONS = _Pool(vocabulary.OCCUPATIONS)
_STREETS = _Pool(vocabulary.STREETS)
_NOTES = _Pool(vocabulary.NOTES)
_MOBILES = _Pool(vocabulary.MOBILE_PREFIXES)
_LANDLINES = _Pool(vocabulary.LANDLINE_PREFIXES)
_DOMAINS = _Pool(_MAIL_DOMAINS)
_PROVINCES = _Pool(tuple((name, weight) for name, weight, _ in vocabulary.PROVINCES))
_WARDS = {name: wards for name, _, wards in vocabulary.PROVINCES}
_ASCII = {word: fold(word).replace(" ", "") for words in (
    vocabulary.FAMILY_NAMES, vocabulary.GIVEN_NAMES_OF_MEN, vocabulary.GIVEN_NAMES_OF_WOMEN, vocabulary.COMPANY_NAMES
) for word, _ in words}  # fmt: skip


class _Maker:
    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._first_line_number = int(self._random.random() * _LINE_NUMBERS)

    def customer(self, index: int) -> dict[str, Any]:
        line_number = (self._first_line_number + index * _LINE_NUMBER_STEP) % _LINE_NUMBERS
        if self._chance(_COMPANY_SHARE):
            return self._company(line_number)
        return self._person(line_number)

    def _person(self, line_number: int) -> dict[str, Any]:
        random = self._random
        gender = "female" if self._chance(0.5) else "male"
        family, given = _FAMILY.draw(random), _GIVEN[gender].draw(random)
        middle = _MIDDLE[gender].draw(random)
        birth_day = _FIRST_BIRTH_DAY + int(random.random() * (_LAST_BIRTH_DAY - _FIRST_BIRTH_DAY + 1))
        address_name = f"{_ASCII[given]}.{_ASCII[family]}{line_number % 1_000}"
        return {
            "type": "person",
            "name": f"{family} {middle} {given}" if middle else f"{family} {given}",
            "phones": [_international(_MOBILES.draw(random), line_number)],
            "emails": [f"{address_name}@{_DOMAINS.draw(random)}"] if self._chance(_EMAIL_SHARE) else [],
            "gender": gender,
            "birth_date": date.fromordinal(birth_day).isoformat() if self._chance(_EMAIL_SHARE) else None,
            "occupation": _OCCUPATIONS.draw(random),
            "company_name": self._company_name()[0] if self._chance(_EMPLOYED_SHARE) else None,
            "tax_code": None,
            "address": self._address(),
            "description": _NOTES.draw(random) or None,
        }

    def _company(self, line_number: int) -> dict[str, Any]:
        random = self._random
        name, short_name = self._company_name()
        prefixes = _LANDLINES if self._chance(0.5) else _MOBILES
        return {
            "type": "company",
            "name": name,
            "phones": [_international(prefixes.draw(random), line_number)],
            "emails": [f"info@{short_name}{line_number % 1_000}.example"] if self._chance(_EMAIL_SHARE) else [],
            "gender": None,
            "birth_date": None,
            "occupation": None,
            "company_name": None,
            "tax_code": f"03{int(random.random() * 100_000_000):08}",
            "address": self._address(),
            "description": _NOTES.draw(random) or None,
        }

    def _company_name(self) -> tuple[str, str]:
        random = self._random
        form, trade, name = _FORMS.draw(random), _TRADES.draw(random), _COMPANIES.draw(random)
        return " ".join(word for word in (form, trade, name) if word), _ASCII[name]

    def _address(self) -> dict[str, str | None] | None:
        """Province and ward, as addresses are since districts ended in July 2025."""
        random = self._random
        if not self._chance(_ADDRESS_SHARE):
            return None
        province = _PROVINCES.draw(random)
        wards = _WARDS[province]
        number = 1 + int(random.random() * 400)
        house = f"{number}/{1 + int(random.random() * 60)}" if self._chance(0.3) else str(number)
        return {
            "line": f"{house} {_STREETS.draw(random)}",
            "ward": f"Phường {wards[int(random.random() * len(wards))]}",
            "district": None,
            "province": province,
            "country": "VN",
        }

    def _chance(self, share: float) -> bool:
        return self._random.random() < share


def _international(prefix: str, line_number: int) -> str:
    return f"+84{prefix[1:]}{line_number:07}"

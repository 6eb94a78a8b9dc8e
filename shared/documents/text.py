"""How documents are written down: YAML in the order of their making, every part where it is read."""

from typing import Any

import yaml

WIDTH = 110
LONGEST_LIST_IN_A_LINE = 80


def as_yaml(document: dict[str, Any]) -> str:
    """A document as YAML."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, longer texts as blocks and short lists of words in one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, parts: list[Any]) -> yaml.SequenceNode:
    plain = all(part is None or isinstance(part, (str, int, float)) for part in parts)
    short = plain and sum(len(str(part)) + 2 for part in parts) <= LONGEST_LIST_IN_A_LINE
    return dumper.represent_sequence("tag:yaml.org,2002:seq", parts, flow_style=short or None)


def _number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    """FastAPI keeps every limit as a float: what it says of integers shall be read as one."""
    return dumper.represent_int(int(number)) if number.is_integer() else dumper.represent_float(number)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)
_Dumper.add_representer(list, _list)

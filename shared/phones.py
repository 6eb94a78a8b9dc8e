"""Phone numbers as E.164 (C2). Parsing is the `phonenumbers` library's; this adds what files do to them."""

import re

MAX_PHONES = 10
_DIGITS = re.compile(r"[^\d+]")
# Nine in ten numbers of a file: the library would say the same, at 25 µs instead of 1.
_VIETNAMESE_MOBILE = re.compile(r"(?:0|84|\+84)([35789][0-9]{8})")


class BadPhone(ValueError):
    """The text is not a phone number."""


def normalize(text: str, region: str = "VN") -> str:
    """E.164 of a number as people write it: 0…, 84…, +84…, spaces, dots, dashes (C2).

    Foreign numbers need `+`. A number need only be possible by its length: which prefixes are given out is a
    table that ages, and a number that people can dial must never be refused for it. Old mobile numbers of
    eleven digits (0162…) pass as they are written, since only their owner knows that they have moved.
    Raises BadPhone for anything that cannot be a number.
    """
    bare = _DIGITS.sub("", text.strip())
    if len(text) > 40 or not bare:
        raise BadPhone(text[:40])
    if region == "VN" and (mobile := _VIETNAMESE_MOBILE.fullmatch(bare)):
        return f"+84{mobile.group(1)}"
    import phonenumbers  # half a second of start-up in processes that never see another phone

    if region == "VN" and bare.startswith("84") and len(bare) in (11, 12):
        bare = f"+{bare}"
    try:
        number = phonenumbers.parse(bare, region)
    except phonenumbers.NumberParseException as error:
        raise BadPhone(text) from error
    if not phonenumbers.is_possible_number(number):
        raise BadPhone(text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalize_from_sheet(text: str) -> str:
    """As `normalize`, also for a number that lost its leading 0 in a spreadsheet (M14)."""
    stripped = _DIGITS.sub("", text)
    if not stripped.startswith(("0", "+", "84")) and len(stripped) == 9:
        return normalize(f"0{stripped}")
    return normalize(text)


def national(e164: str) -> str:
    """A Vietnamese number as people write it at home (0901234567), others as they are."""
    return f"0{e164[3:]}" if e164.startswith("+84") else e164


def fragment(text: str) -> str | None:
    """Digits to look for inside stored numbers, or None when the text is no part of a phone.

    At least 4 digits; a leading 0 or 84 is the national form of +84.
    """
    bare = _DIGITS.sub("", text)
    if len(bare) < 4 or len(re.sub(r"[\d\s.+()-]", "", text)) > 0:
        return None
    if bare.startswith("0"):
        return f"84{bare[1:]}" if len(bare) > 4 else bare[1:]
    return bare.lstrip("+")

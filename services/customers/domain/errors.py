"""What the rules about customers refuse, each with its code."""

from uuid import UUID

from shared.errors import Conflict, Invalid


class PhoneTaken(Conflict):
    """Another live customer has the number; its id only for those who may see it (C2).

    `hidden` are a number and the customer who has it, unseen by the asker: to be counted, never told (R3).
    """

    def __init__(self, customer_id: UUID | None = None, hidden: tuple[str, UUID] | None = None) -> None:
        super().__init__("phone_taken", {"customer_id": str(customer_id)} if customer_id else {})
        self.hidden = hidden


class CodeTaken(Conflict):
    """Codes are unique for ever, also after deletion and erasure (C1)."""

    def __init__(self) -> None:
        super().__init__("code_taken")


class ReferralLocked(Conflict):
    """The referrer can be set while the relationship is New or nobody is responsible (C5)."""

    def __init__(self) -> None:
        super().__init__("referral_locked")


class AutomaticRelationship(Invalid):
    """Nobody selects Don't Forget by form, file or automation (G4)."""

    def __init__(self) -> None:
        super().__init__("automatic_relationship")


class DisabledChoice(Invalid):
    """A disabled value keeps its customers but cannot be newly chosen (G2)."""

    def __init__(self) -> None:
        super().__init__("disabled_choice")


class TooManyViewers(Invalid):
    """At most 200 viewers by hand (C3)."""

    def __init__(self) -> None:
        super().__init__("too_many_items")


class NameTaken(Conflict):
    """Another live value beside it is called the same (G1)."""

    def __init__(self) -> None:
        super().__init__("name_taken")


class TreeCycle(Conflict):
    """The new parent lies below the item itself (G1)."""

    def __init__(self) -> None:
        super().__init__("cycle")


class ParentDisabled(Conflict):
    """A live value cannot stand under a disabled one (G2)."""

    def __init__(self) -> None:
        super().__init__("parent_disabled")


class InUse(Conflict):
    """Live values stand below it, or rules need it (G2, G4)."""

    def __init__(self) -> None:
        super().__init__("in_use")


class NotRestorable(Conflict):
    """There is nothing to restore: the value is enabled."""

    def __init__(self) -> None:
        super().__init__("not_restorable")

"""Refusals of this service beside the ones all services know."""

from uuid import UUID

from shared.errors import Conflict


class CodeTaken(Conflict):
    """A campaign had this code already; codes are never used again."""

    def __init__(self, code: str) -> None:
        super().__init__("code_taken", {"code": code})


class AlreadyInCampaign(Conflict):
    """The customer has an open opportunity in a campaign that does not allow two (K1)."""

    def __init__(self) -> None:
        super().__init__("already_in_campaign")


class WaitingTime(Conflict):
    """The customer's last opportunity in the campaign is too recent (K1)."""

    def __init__(self) -> None:
        super().__init__("waiting_time")


class OpportunityClosed(Conflict):
    """The opportunity is won or lost: it takes no owner any more."""

    def __init__(self, opportunity_id: UUID) -> None:
        super().__init__("opportunity_closed", {"opportunity_id": str(opportunity_id)})


class CustomerAway(Conflict):
    """The customer is deleted; the opportunity rests, or stays closed, until it is restored (K7)."""

    def __init__(self, opportunity_id: UUID) -> None:
        super().__init__("wrong_state", {"opportunity_id": str(opportunity_id)})


class StatusInUse(Conflict):
    """Opportunities stand in a status that is to go without another in its place, or that would reopen them (K1)."""

    def __init__(self, status_id: UUID) -> None:
        super().__init__("in_use", {"status_id": str(status_id)})

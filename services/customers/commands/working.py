"""The next step of long work by its kind; exports are made elsewhere, by a process of their own."""

from services.customers.commands.assignments import assign_next
from services.customers.commands.forgetting import return_next
from services.customers.commands.selections import publish_next
from services.customers.domain.long_work import LongWork
from shared.database import Session
from shared.identity import Actor

STEPS = {"assignment": assign_next, "selection": publish_next, "return": return_next}


async def do_next(session: Session, work: LongWork, actor: Actor) -> bool:
    """Do the next step of an assignment, a selection or a return from Don't Forget; answers whether more may come."""
    return await STEPS[work.kind](session, work, actor)

"""Current state told again, under the row locks: it repairs copies (see `republish`)."""

from services.interactions.commands.documents import republish_documents
from services.interactions.commands.summaries import republish_summaries
from shared.contracts.documents import DOCUMENTS
from shared.contracts.events import Topic
from shared.database import Session


async def republish(session: Session, topic: Topic, raise_version: bool) -> int:
    """Tell every summary or document again; answers how many."""
    if topic is DOCUMENTS:
        return await republish_documents(session, raise_version)
    return await republish_summaries(session, raise_version)

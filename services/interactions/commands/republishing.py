"""What `interactions` tells again, by topic, deleted and erased ones too, to repair the copies of others."""

from collections.abc import Mapping, Sequence

from services.interactions.commands.summaries import erasures_again, summaries_again
from services.interactions.domain.document import Document
from shared.contracts.documents import DOCUMENTS, DocumentChanged
from shared.contracts.events import Cause
from shared.contracts.interactions import SUMMARIES
from shared.republishing import Source, rows_of

_CAUSE = Cause(kind="system")


def _again(document: Document) -> DocumentChanged:
    return document.state_event(DocumentChanged, _CAUSE)


SOURCES: Mapping[str, Sequence[Source]] = {
    SUMMARIES.name: (summaries_again, erasures_again),
    DOCUMENTS.name: (rows_of(Document, _again),),
}

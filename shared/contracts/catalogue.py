"""All topics there are, and who publishes and reads which."""

from shared.contracts.campaigns import CAMPAIGNS, OPPORTUNITIES
from shared.contracts.classification import CLASSIFICATION
from shared.contracts.customers import CUSTOMERS
from shared.contracts.directory import DIRECTORY
from shared.contracts.documents import DOCUMENTS
from shared.contracts.events import Service, Topic
from shared.contracts.imports import IMPORT_RESULTS, IMPORTS
from shared.contracts.interactions import INGEST, INTERACTIONS, SUMMARIES
from shared.contracts.work import AUTOMATION_ACTIONS, ERASURES, SELECTIONS

TOPICS: tuple[Topic, ...] = (
    CUSTOMERS,
    CLASSIFICATION,
    DIRECTORY,
    SUMMARIES,
    DOCUMENTS,
    CAMPAIGNS,
    OPPORTUNITIES,
    INTERACTIONS,
    INGEST,
    AUTOMATION_ACTIONS,
    ERASURES,
    SELECTIONS,
    IMPORTS,
    IMPORT_RESULTS,
)
SERVICES: tuple[Service, ...] = ("customers", "interactions", "imports", "campaigns")


def published_by(service: str) -> list[Topic]:
    """The topics this service writes."""
    return [topic for topic in TOPICS if service in topic.producers]


def read_by(service: str) -> list[Topic]:
    """The topics this service consumes."""
    return [topic for topic in TOPICS if service in topic.consumers]


def find(name: str) -> Topic:
    """The topic of this name. Raises KeyError."""
    return {topic.name: topic for topic in TOPICS}[name]

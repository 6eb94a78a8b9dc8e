"""What interactions is made of; the only place where its parts meet."""

from services.interactions import consumers
from services.interactions.api import (
    care,
    comments,
    documents,
    facts,
    ledger,
    summaries,
    tasks,
    trail,
    unread_comments,
)
from services.interactions.commands.reconciliation import measure_drift, reconcile
from services.interactions.commands.republishing import SOURCES
from services.interactions.settings import InteractionsSettings
from shared.messaging import subscriptions_in
from shared.service import Service

SERVICE = Service(
    name="interactions",
    title="Rapport: interactions",
    description=(
        "The ledger of what happened with a customer: one row per e-mail, message or call, however often and in"
        " whatever order its facts are reported. It gives the interaction count, the last contact and the reason"
        " for both."
    ),
    package="services.interactions",
    settings=InteractionsSettings,
    routers=(
        facts.routes,
        ledger.routes,
        summaries.routes,
        tasks.routes,
        documents.routes,
        care.routes,
        comments.routes,
        unread_comments.routes,
        trail.routes,
    ),
    subscriptions=subscriptions_in(consumers),
    jobs={"reconcile": reconcile},
    republished=SOURCES,
    measures=(measure_drift,),
)

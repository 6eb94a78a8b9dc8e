"""The only place where the parts of the imports service are put together."""

from services.imports import consumers
from services.imports.api import contacts, events, files, imports, mappings, preparation, rows
from services.imports.jobs import expire, purge_of_imports
from services.imports.settings import ImportsSettings
from services.imports.worker import work
from shared.messaging import subscriptions_in
from shared.service import Service

SERVICE = Service(
    name="imports",
    title="Rapport: imports",
    description="Files of customers and contacts: upload, mapping, preview, confirm, result, undo.",
    package="services.imports",
    routers=[
        # fixed paths before `/imports/{import_id}`, which would take them for ids
        files.routes,
        mappings.routes,
        imports.routes,
        preparation.routes,
        rows.routes,
        events.routes,
        contacts.routes,
    ],
    subscriptions=subscriptions_in(consumers),
    settings=ImportsSettings,
    jobs={"expire": expire, "purge": purge_of_imports},
    workers=[work],
)

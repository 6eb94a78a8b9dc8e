"""What the customers service is made of: the only place where its parts are wired."""

from services.customers import consumers
from services.customers.api.assignments import assignments
from services.customers.api.checking import checking
from services.customers.api.customers import customers
from services.customers.api.employees import employees
from services.customers.api.erasures import erasures
from services.customers.api.exports import exports
from services.customers.api.item_trails import item_trails
from services.customers.api.relationships import relationships
from services.customers.api.search import search
from services.customers.api.selections import selections
from services.customers.api.sources import sources
from services.customers.api.tenant import tenant
from services.customers.api.trees import groups, sectors
from services.customers.api.views import views
from services.customers.commands.forgetting import forget
from services.customers.commands.purchase_check import recount_purchases
from services.customers.commands.republishing import SOURCES
from services.customers.jobs import purge_of_customers
from services.customers.settings import CustomersSettings
from services.customers.worker import export, work
from shared.messaging import subscriptions_in
from shared.service import Service

SERVICE = Service(
    name="customers",
    title="Rapport: customers",
    description="Customer records, their classification, responsible persons and viewers; employees; audit trail.",
    package="services.customers",
    routers=(
        assignments,
        checking,
        search,
        views,
        customers,
        employees,
        erasures,
        exports,
        groups,
        item_trails,
        relationships,
        sectors,
        selections,
        sources,
        tenant,
    ),
    subscriptions=subscriptions_in(consumers),
    settings=CustomersSettings,
    jobs={"forget": forget, "purge": purge_of_customers, "recount-purchases": recount_purchases},
    republished=SOURCES,
    workers=(work, export),
)

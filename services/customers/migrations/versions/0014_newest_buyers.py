"""Of each month the newest customer who ordered in it: where a list of buyers of a past year begins.

Lists begin at the newest customer. Who came after the year has seldom an order in it, but all of them were looked
at: of a million, a third took half a second. The day of the newest buyer may be too late, where an order was changed or
taken back since; it is never too early, whichever came first, the order or its customer.
"""

from shared.migrations import script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE order_month (month date PRIMARY KEY, newest_buyer_on date NOT NULL);
COMMENT ON TABLE order_month IS 'of each month (UTC) the day on which its newest customer with an order was created';
"""

# A month's row is left alone, and nobody waits for it, but where somebody newer has bought: once a day.
_RAISE = """
    INSERT INTO public.order_month AS stored
    SELECT month, newest FROM (
        SELECT date_trunc('month', {order}.ordered_at AT TIME ZONE 'UTC')::date AS month,
               max((customer.created_at AT TIME ZONE 'UTC')::date) AS newest
        FROM {orders} JOIN {customers} ON customer.id = {order}.customer_id
        WHERE {order}.purchased AND {order}.ordered_at IS NOT NULL GROUP BY 1
    ) AS bought
    WHERE NOT EXISTS (SELECT FROM public.order_month AS known
                      WHERE known.month = bought.month AND known.newest_buyer_on >= bought.newest)
    ORDER BY month
    ON CONFLICT (month) DO UPDATE SET newest_buyer_on = excluded.newest_buyer_on
    WHERE stored.newest_buyer_on < excluded.newest_buyer_on;
"""

_FUNCTIONS = f"""
CREATE FUNCTION follow_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_RAISE.format(order="news", orders="news", customers="public.customer")}
    RETURN NULL;
END $$;
CREATE FUNCTION follow_earlier_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_RAISE.format(order="document", orders="public.document", customers="customer")}
    RETURN NULL;
END $$;
CREATE TRIGGER follow_new_orders AFTER INSERT ON document
    REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION follow_orders();
CREATE TRIGGER follow_changed_orders AFTER UPDATE ON document
    REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION follow_orders();
CREATE TRIGGER follow_earlier_orders AFTER INSERT ON customer
    REFERENCING NEW TABLE AS customer FOR EACH STATEMENT EXECUTE FUNCTION follow_earlier_orders();
"""


def upgrade() -> None:
    """Add it, filled from the orders that are there."""
    script(_TABLE + _RAISE.format(order="document", orders="document", customers="customer") + _FUNCTIONS)


def downgrade() -> None:
    """Take it away."""
    script(
        "DROP TRIGGER follow_earlier_orders ON customer; DROP TRIGGER follow_changed_orders ON document;"
        " DROP TRIGGER follow_new_orders ON document; DROP FUNCTION follow_earlier_orders, follow_orders;"
        " DROP TABLE order_month;"
    )

"""Of each day, no longer of each month, the newest customer who ordered on it.

A period that ends within a month began its lists at the newest buyer of the whole month: of a million customers, up to
40,000 who had come since were looked at and passed over. The release before reads months: it finds them in a view,
which goes a release later.
"""

from shared.migrations import script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE order_day (day date PRIMARY KEY, newest_buyer_on date NOT NULL);
COMMENT ON TABLE order_day IS 'of each day (UTC) the day on which its newest customer with an order was created';
"""

_MONTHS = """
DROP TABLE order_month;
CREATE VIEW order_month AS
    SELECT date_trunc('month', day)::date AS month, max(newest_buyer_on) AS newest_buyer_on FROM order_day GROUP BY 1;
"""

_DAYS_AS_MONTHS = """
DROP VIEW order_month;
CREATE TABLE order_month (month date PRIMARY KEY, newest_buyer_on date NOT NULL);
INSERT INTO order_month
    SELECT date_trunc('month', day)::date, max(newest_buyer_on) FROM order_day GROUP BY 1;
"""

# A row is left alone, and nobody waits for it, but where somebody newer has bought: once a day.
_RAISE = """
    INSERT INTO public.order_{each} AS stored
    SELECT {each}, newest FROM (
        SELECT date_trunc('{each}', {order}.ordered_at AT TIME ZONE 'UTC')::date AS {each},
               max((customer.created_at AT TIME ZONE 'UTC')::date) AS newest
        FROM {orders} JOIN {customers} ON customer.id = {order}.customer_id
        WHERE {order}.purchased AND {order}.ordered_at IS NOT NULL GROUP BY 1
    ) AS bought
    WHERE NOT EXISTS (SELECT FROM public.order_{each} AS known
                      WHERE known.{each} = bought.{each} AND known.newest_buyer_on >= bought.newest)
    ORDER BY {each}
    ON CONFLICT ({each}) DO UPDATE SET newest_buyer_on = excluded.newest_buyer_on
    WHERE stored.newest_buyer_on < excluded.newest_buyer_on;
"""


def _functions(each: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION follow_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_RAISE.format(each=each, order="news", orders="news", customers="public.customer")}
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION follow_earlier_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_RAISE.format(each=each, order="document", orders="public.document", customers="customer")}
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Days, filled from the orders that are there; nobody orders meanwhile."""
    script(
        "LOCK TABLE customer, document IN SHARE ROW EXCLUSIVE MODE;"
        + _TABLE
        + _RAISE.format(each="day", order="document", orders="document", customers="customer")
        + _functions("day")
        + _MONTHS
    )


def downgrade() -> None:
    """Months again."""
    script(_DAYS_AS_MONTHS + _functions("month") + "DROP TABLE order_day;")

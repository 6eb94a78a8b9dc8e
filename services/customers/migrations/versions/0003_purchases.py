"""Purchases as filters need them (P1, P2), kept from `crm.documents`.

`document`: one row for each document of any kind. `purchased`: an order that is confirmed or completed;
`value`: its total, negative for a return, which is no order of its own (`is_return`). Each aggregate of a
filter is a sum over rows of `document` that are `purchased`: `document_purchased` has them by customer and
time, `document_purchased_at` by time, both without a look at the table.
`document_line`: the lines of live orders, by document, and by product or product group and customer.
`product`, `product_group`: what any line has named, with the name last heard, for picklists.
`customer_contact` has lifetime values (P3) in VND: `total_revenue` (purchased sales minus returns),
`order_count` (purchased sales, no returns) and `purchased_value` (all that was purchased, of either order
type, returns left out), which no total of chosen orders can exceed: a filter for a high one looks there first.
"""

from shared.migrations import script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_DOCUMENTS = """
DROP TABLE document;
CREATE TABLE document (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    kind text NOT NULL,
    number text,
    status text NOT NULL,
    order_type text,
    ordered_at timestamptz,
    return_of uuid,
    total bigint NOT NULL,
    currency text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    version bigint NOT NULL,
    purchased boolean NOT NULL GENERATED ALWAYS AS (
        kind = 'order' AND state = 'active' AND status IN ('confirmed', 'completed')
    ) STORED,
    is_return boolean NOT NULL GENERATED ALWAYS AS (return_of IS NOT NULL) STORED,
    value bigint NOT NULL GENERATED ALWAYS AS (CASE WHEN return_of IS NULL THEN total ELSE -total END) STORED
);
CREATE INDEX document_customer ON document (customer_id);
CREATE INDEX document_purchased ON document (customer_id, ordered_at)
    INCLUDE (value, is_return, order_type, currency, id) WHERE purchased;
CREATE INDEX document_purchased_at ON document (ordered_at)
    INCLUDE (customer_id, value, is_return, order_type, currency, id) WHERE purchased;

CREATE TABLE document_line (
    document_id uuid NOT NULL,
    position int NOT NULL,
    customer_id uuid NOT NULL,
    product_code text NOT NULL,
    product_name text NOT NULL,
    product_group_code text,
    product_group_name text,
    quantity numeric NOT NULL,
    unit_price bigint NOT NULL,
    total bigint NOT NULL,
    PRIMARY KEY (document_id, position)
);
CREATE INDEX document_line_product ON document_line (product_code, customer_id) INCLUDE (document_id, quantity);
CREATE INDEX document_line_group ON document_line (product_group_code, customer_id)
    INCLUDE (document_id, product_code, quantity) WHERE product_group_code IS NOT NULL;

CREATE TABLE product_group (code text PRIMARY KEY, name text NOT NULL, name_folded text NOT NULL);
CREATE TABLE product (
    code text PRIMARY KEY,
    name text NOT NULL,
    name_folded text NOT NULL,
    group_code text
);
"""

# A document may be heard of before its customer: the numbers wait in a row of their own.
_NUMBERS = """
ALTER TABLE customer_contact
    ADD total_revenue bigint NOT NULL DEFAULT 0,
    ADD order_count int NOT NULL DEFAULT 0,
    ADD purchased_value bigint NOT NULL DEFAULT 0;
CREATE INDEX customer_contact_purchased ON customer_contact (purchased_value) INCLUDE (customer_id)
    WHERE purchased_value > 0;

CREATE OR REPLACE FUNCTION follow_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO customer_contact (customer_id, as_of) VALUES (NEW.id, NEW.created_at)
        ON CONFLICT (customer_id) DO UPDATE SET as_of = excluded.as_of;
    END IF;
    IF NEW.state = 'deleted' THEN
        DELETE FROM customer_search WHERE customer_id = NEW.id;
        RETURN NULL;
    END IF;
    INSERT INTO customer_search AS stored (customer_id, created_at, manager_id, words)
    VALUES (NEW.id, NEW.created_at, NEW.manager_id, array_to_tsvector(string_to_array(NEW.search_text, ' ')))
    ON CONFLICT (customer_id) DO UPDATE SET manager_id = excluded.manager_id, words = excluded.words;
    RETURN NULL;
END $$;
"""


def upgrade() -> None:
    """Replace the provisional table by what filters need."""
    script(_DOCUMENTS)
    script(_NUMBERS)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("the projection of purchases cannot be taken back")

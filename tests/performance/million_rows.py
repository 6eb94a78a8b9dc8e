"""The SQL that multiplies some thousand customers into a million, with what belongs to each of them.

Rows are what the service itself would store: `million_filling.py` checks a sample by the service's own rules.
Each customer `n` is a function of `n`: phone, code and id are its own, name, people, classification, contacts
and orders are drawn by hashes of it. `bench_base` holds the customers that are multiplied, `bench_chunk`
the customers being made.
"""

from services.customers.commands.purchases import lifetime_of

PREPARATION = """
CREATE UNLOGGED TABLE bench_base (
    n int PRIMARY KEY, kind text NOT NULL, place int NOT NULL, of_kind int NOT NULL, type text NOT NULL,
    head text NOT NULL, head_words text NOT NULL, tail text NOT NULL, tail_words text NOT NULL, phone text NOT NULL,
    email text, email_words text, gender text, birth_date date, occupation text, company_name text, tax_code text,
    address jsonb, description text, kept_words text NOT NULL
);
CREATE UNIQUE INDEX bench_base_kind ON bench_base (kind, place);

CREATE FUNCTION bench_draw(n int, salt int, among int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashint4extended(n, salt) & 9223372036854775807) % among)::int;

-- Between 0 and 1, from many draws: near enough to a bell for amounts of orders.
CREATE FUNCTION bench_bell(n int, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (bench_draw(n, salt, 1000) + bench_draw(n, salt + 1, 1000) + bench_draw(n, salt + 2, 1000)
    + bench_draw(n, salt + 3, 1000)) / 4000.0;
"""

CLEARING = "DROP FUNCTION bench_draw, bench_bell; DROP TABLE bench_base"

INDEXES = """
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = ANY('{customer,customer_contact,customer_search,customer_phone,document,document_line}'::regclass[])
  AND NOT i.indisunique
"""
"""What is made anew after filling: kept up row by row, indexes are most of what an insert of a million costs."""

BASE = """
INSERT INTO bench_base
SELECT (row_number() OVER (ORDER BY n) - 1)::int, kind, (row_number() OVER (PARTITION BY kind ORDER BY n) - 1)::int,
       (count(*) OVER (PARTITION BY kind))::int, type, head, head_words, tail, tail_words, phone, email, email_words,
       gender, birth_date, occupation, company_name, tax_code, address, description, kept_words
FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
    kind text, type text, head text, head_words text, tail text, tail_words text, phone text, email text,
    email_words text, gender text, birth_date date, occupation text, company_name text, tax_code text, address jsonb,
    description text, kept_words text
)) WITH ORDINALITY AS given(
    kind, type, head, head_words, tail, tail_words, phone, email, email_words, gender, birth_date, occupation,
    company_name, tax_code, address, description, kept_words, n
)
"""

# $1 the first, $2 the one behind the last, $3 the base's size, $4 all there will be, $5 the step of line numbers.
# $6 relationships in their order, $7 sellers, $8 groups, $9 sources, $10 sectors: whom and what it is given.
# The turn of a customer among the multiples is n / $3; with it the name's last part comes from another one.
CHUNK = """
CREATE TEMP TABLE bench_chunk ON COMMIT DROP AS
WITH drawn AS (
    SELECT n, n / $3::int AS turn, created_at, uuidv7(created_at - clock_timestamp()) AS id,
           bench_draw(n, 1, 100) AS fate,
           'KH' || lpad((n + 1)::text, greatest(6, length((n + 1)::text)), '0') AS code
    FROM generate_series($1::int, $2::int - 1) n
    CROSS JOIN LATERAL (SELECT clock_timestamp() - interval '1095 days' * (1 - n::float8 / $4::int) AS created_at) born
)
SELECT d.n, d.id, d.code, d.created_at, b.type, b.gender, b.birth_date, b.occupation, b.company_name, b.tax_code,
       b.address, b.description,
       concat_ws(' ', nullif(b.head, ''), nullif(o.tail, ''), rare.word) AS name,
       left(b.phone, -7) || lpad(((right(b.phone, 7)::bigint + d.turn::bigint * $3 * $5::bigint) % 10000000)::text,
           7, '0') AS phone,
       CASE WHEN d.turn = 0 THEN b.email ELSE regexp_replace(b.email, '[0-9]+', (d.n % 100000)::text) END AS email,
       concat_ws(' ', nullif(b.head_words, ''), nullif(o.tail_words, ''), rare.word, nullif(b.kept_words, ''),
           lower(d.code),
           CASE WHEN d.turn = 0 THEN b.email_words
                ELSE regexp_replace(b.email_words, '[0-9]+', (d.n % 100000)::text) END) AS words,
       ($6::uuid[])[CASE WHEN fate < 30 THEN 1 WHEN fate < 50 THEN 2 WHEN fate < 58 THEN 3 WHEN fate < 70 THEN 4
           WHEN fate < 82 THEN 5 WHEN fate < 92 THEN 6 ELSE 7 END] AS relationship_id,
       CASE WHEN fate >= 92 THEN ($6::uuid[])[2] END AS remembered_relationship_id,
       fate >= 82 AND fate < 92 AS closed, fate >= 92 AS forgotten,
       CASE WHEN d.n % 20 <> 19
           THEN ($7::uuid[])[1 + bench_draw(d.n, 2, cardinality($7::uuid[]))] END AS manager_id,
       CASE WHEN d.n % 50 = 49
           THEN ($7::uuid[])[1 + bench_draw(d.n, 3, cardinality($7::uuid[]))] END AS viewer_id,
       ARRAY(SELECT DISTINCT one FROM unnest(ARRAY[
           CASE WHEN bench_draw(d.n, 4, 10) < 7
               THEN ($8::uuid[])[1 + bench_draw(d.n, 5, 125) * bench_draw(d.n, 6, 125) / 125] END,
           CASE WHEN bench_draw(d.n, 4, 10) < 2 THEN ($8::uuid[])[1 + bench_draw(d.n, 7, 125)] END
       ]) one WHERE one IS NOT NULL) AS group_ids,
       CASE WHEN bench_draw(d.n, 8, 10) < 8
           THEN ARRAY[($9::uuid[])[1 + bench_draw(d.n, 9, 8) * bench_draw(d.n, 10, 8) / 8]]
           ELSE '{}'::uuid[] END AS source_ids,
       CASE WHEN bench_draw(d.n, 11, 10) < 4 THEN ARRAY[($10::uuid[])[1 + bench_draw(d.n, 12, 12)]]
           ELSE '{}'::uuid[] END AS sector_ids
FROM drawn d
JOIN bench_base b ON b.n = d.n % $3
JOIN bench_base o ON o.kind = b.kind AND o.place = (b.place + d.turn * 7919) % b.of_kind
CROSS JOIN LATERAL (
    SELECT CASE WHEN d.n % 1000 = 500 THEN 'xu' || translate((100 + d.n / 1000 % 100)::text, '0123456789', 'bcdghklmnp')
           END AS word
) rare
"""

_WORDS = r"""
concat_ws(' ', words,
    (SELECT string_agg('#' || substr(phone, first), ' ') FROM generate_series(2, length(phone) - 3) first),
    'm:' || replace(manager_id::text, '-', ''), 'v:' || replace(viewer_id::text, '-', ''))
"""

_CUSTOMERS = f"""
INSERT INTO customer (
    id, code, type, name, phones, emails, gender, birth_date, occupation, company_name, tax_code, address, description,
    group_ids, source_ids, primary_source_id, sector_ids, relationship_id, remembered_relationship_id, manager_id,
    manager_set_at, manager_cause_kind, manager_cause_id, viewer_ids, origin_kind, state, created_at, created_by,
    updated_at, first_closed_at, clock_started_at, search_text, version
)
SELECT id, code, type, name, ARRAY[phone], array_remove(ARRAY[email], NULL), gender, birth_date, occupation,
       company_name, tax_code, address, description, group_ids, source_ids, source_ids[1], sector_ids, relationship_id,
       remembered_relationship_id, manager_id, created_at, 'system', 'bench', array_remove(ARRAY[viewer_id], NULL),
       'user', 'active', created_at, 'service/bench',
       created_at + (clock_timestamp() - created_at) * bench_draw(n, 20, 1000) / 1000.0,
       CASE WHEN closed THEN created_at END, created_at, {_WORDS}, 1 + bench_draw(n, 21, 4)
FROM bench_chunk
"""

_SEARCHED = """
INSERT INTO customer_search (customer_id, created_at, manager_id, relationship_id, class_ids, words)
SELECT c.id, c.created_at, c.manager_id, c.relationship_id, c.group_ids || c.source_ids || c.sector_ids,
       array_to_tsvector(string_to_array(search_text, ' '))
FROM bench_chunk JOIN customer c USING (id) ORDER BY c.id
"""

_KEYS = """
INSERT INTO customer_key (key, created_at, customer_id)
SELECT DISTINCT key, c.created_at, c.id FROM bench_chunk JOIN customer c USING (id)
CROSS JOIN unnest(customer_keys(c.state, c.manager_id, c.viewer_ids, c.group_ids, c.source_ids, c.sector_ids,
                                c.province_key)) key
"""

_VIEWERS = """
INSERT INTO customer_viewer SELECT id, viewer_id, 'user', '' FROM bench_chunk WHERE viewer_id IS NOT NULL
"""

# As many orders as customers, by four in ten of them; 3 in 100 give something back.
_DOCUMENTS = """
INSERT INTO document (id, customer_id, kind, number, status, order_type, ordered_at, return_of, total, currency, state,
                      created_at, version)
SELECT uuidv7(ordered_at - clock_timestamp()), id, 'order', 'DH' || seed,
       CASE WHEN drawn.fate < 80 THEN 'completed' WHEN drawn.fate < 90 THEN 'confirmed'
            WHEN drawn.fate < 95 THEN 'draft' ELSE 'cancelled' END,
       CASE WHEN bench_draw(seed, 31, 20) = 0 THEN 'purchase' ELSE 'sales' END, ordered_at,
       CASE WHEN bench_draw(seed, 32, 100) < 3 THEN id END,
       (exp(11.0 + 7.0 * bench_bell(seed, 40)) / 1000)::bigint * 1000, 'VND', 'active', ordered_at, 1
FROM bench_chunk
CROSS JOIN LATERAL (SELECT bench_draw(n, 30, 1000) AS lot) buys
CROSS JOIN LATERAL generate_series(1, CASE WHEN buys.lot < 600 THEN 0 WHEN buys.lot < 800 THEN 1
    WHEN buys.lot < 890 THEN 2 WHEN buys.lot < 955 THEN 4 WHEN buys.lot < 990 THEN 7 ELSE 12 END) one
CROSS JOIN LATERAL (SELECT n * 16 + one AS seed) seeded
CROSS JOIN LATERAL (SELECT bench_draw(seed, 33, 100) AS fate,
    created_at + (clock_timestamp() - created_at) * (bench_draw(seed, 34, 100000) / 100000.0) AS ordered_at) drawn
"""

_LINES = """
INSERT INTO document_line
SELECT d.id, line, d.customer_id, 'SP' || lpad(product::text, 4, '0'), 'Sản phẩm ' || product,
       'N' || lpad((product % 25)::text, 2, '0'), 'Nhóm hàng ' || product % 25, 1 + bench_draw(seed, 51, 5),
       d.total / lines, d.total / lines
FROM bench_chunk JOIN document d ON d.customer_id = bench_chunk.id
CROSS JOIN LATERAL (SELECT substr(d.number, 3)::int * 3 AS first_seed, 1 + substr(d.number, 3)::int % 2 AS lines) made
CROSS JOIN LATERAL generate_series(0, lines - 1) line
CROSS JOIN LATERAL (SELECT first_seed + line AS seed) seeded
CROSS JOIN LATERAL (SELECT bench_draw(seed, 52, 500) * bench_draw(seed, 53, 500) / 500 AS product) chosen
"""

# Nobody is due for Don't Forget: the sweep has its own row in the table.
_CONTACTS = f"""
INSERT INTO customer_contact (customer_id, interaction_count, last_contact_at, last_contact, as_of, version,
                              total_revenue, order_count, purchased_value)
SELECT chunk.id, 1 + bench_draw(n, 60, 12) * bench_draw(n, 61, 12), contacted_at,
       json_build_object('at', instant(contacted_at), 'kind', 'call', 'employee_id', manager_id,
                         'source_system', NULL, 'source_id', NULL)::jsonb,
       greatest(contacted_at, created_at), 1, coalesce(revenue, 0), coalesce(orders, 0), coalesce(purchased, 0)
FROM bench_chunk chunk
CROSS JOIN LATERAL (SELECT clock_timestamp() - CASE WHEN forgotten
    THEN interval '31 days' + interval '1 second' * bench_draw(n, 62, 30000000)
    ELSE interval '1 second' * bench_draw(n, 63, 2400000) END AS contacted_at) clock
LEFT JOIN (
    SELECT customer_id, sum(revenue)::bigint AS revenue, sum(orders)::int AS orders, sum(purchased)::bigint AS purchased
    FROM (
        SELECT d.customer_id, {lifetime_of("d")} FROM bench_chunk JOIN document d ON d.customer_id = bench_chunk.id
    ) each
    GROUP BY customer_id
) bought ON bought.customer_id = chunk.id
"""

STORING = (
    "CREATE INDEX ON bench_chunk (id)",
    "ANALYZE bench_chunk",
    _CUSTOMERS,
    "INSERT INTO customer_code SELECT code, id FROM bench_chunk",
    "INSERT INTO customer_phone SELECT phone, id FROM bench_chunk ORDER BY phone",
    _VIEWERS,
    _SEARCHED,
    _KEYS,
    _DOCUMENTS,
    _LINES,
    _CONTACTS,
)
"""In this order, each over the customers of one chunk."""

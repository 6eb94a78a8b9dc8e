"""The discussion about a customer: comments, when the last was posted, and up to where everybody has read.

Every key holds the customer, so that the tables can be partitioned by it.
"""

from shared.migrations import script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# No two comments of a customer have the same moment: `discussion` gives them out under its lock. A read
# mark is therefore a moment, and compares like the order of comments (created_at, id).
_COMMENT = """
CREATE TABLE comment (
    customer_id uuid NOT NULL,
    id uuid NOT NULL,
    author_id uuid NOT NULL,
    text text NOT NULL,
    mention_ids uuid[] NOT NULL,
    created_at timestamptz NOT NULL,
    edited_at timestamptz,
    deleted_at timestamptz,
    deleted_by text,
    version bigint NOT NULL,
    PRIMARY KEY (customer_id, id)
);
CREATE INDEX comment_id ON comment (id);
CREATE UNIQUE INDEX comment_order ON comment (customer_id, created_at) INCLUDE (author_id, deleted_at);
CREATE INDEX comment_author ON comment (author_id, customer_id) WHERE deleted_at IS NULL;
"""

# Of the copy of its customer a discussion repeats who sees it: a badge over a hundred thousand customers
# reads this narrow table, where the copy would be a hundred megabytes. `comments` are the live ones.
_DISCUSSION = """
CREATE TABLE discussion (
    customer_id uuid PRIMARY KEY,
    first_posted_at timestamptz NOT NULL,
    last_posted_at timestamptz NOT NULL,
    comments int NOT NULL,
    active boolean NOT NULL,
    manager_id uuid,
    viewer_ids uuid[] NOT NULL,
    customer_created_at timestamptz NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX discussion_manager ON discussion (manager_id);
CREATE INDEX discussion_viewers ON discussion USING gin (viewer_ids) WHERE viewer_ids <> '{}';
"""

# An employee's marks are read together for their badge; a customer's go together when it is erased.
_READ_MARK = """
CREATE TABLE read_mark (
    employee_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    read_at timestamptz NOT NULL,
    comment_id uuid NOT NULL,
    PRIMARY KEY (employee_id, customer_id)
) WITH (fillfactor = 80);
CREATE INDEX read_mark_customer ON read_mark (customer_id);

-- Comments from before somebody came into the directory are not news to them.
ALTER TABLE employee ADD COLUMN created_at timestamptz;
"""


def upgrade() -> None:
    """Make room for comments."""
    for statements in (_COMMENT, _DISCUSSION, _READ_MARK):
        script(statements)


def downgrade() -> None:
    """Nothing was released before."""
    raise RuntimeError("comments cannot be taken back")

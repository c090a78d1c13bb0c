"""The records, the chain's head, and the triggers that keep both from being changed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NEVER_CHANGED = "a verdict is never changed or deleted"
_ONE_FURTHER = "the head of the chain goes on by one record"
_SQLITE = (
    f"""CREATE TRIGGER verdicts_keep_update BEFORE UPDATE ON verdicts
        BEGIN SELECT RAISE(ABORT, '{_NEVER_CHANGED}'); END""",
    f"""CREATE TRIGGER verdicts_keep_delete BEFORE DELETE ON verdicts
        BEGIN SELECT RAISE(ABORT, '{_NEVER_CHANGED}'); END""",
    f"""CREATE TRIGGER verdicts_head_update BEFORE UPDATE ON verdicts_head WHEN NEW.number <> OLD.number + 1
        BEGIN SELECT RAISE(ABORT, '{_ONE_FURTHER}'); END""",
    f"""CREATE TRIGGER verdicts_head_delete BEFORE DELETE ON verdicts_head
        BEGIN SELECT RAISE(ABORT, '{_ONE_FURTHER}'); END""",
)
_POSTGRESQL = (
    f"""CREATE FUNCTION verdicts_keep() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{_NEVER_CHANGED}'; END $$""",
    f"""CREATE FUNCTION verdicts_one_further() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.number = OLD.number + 1 THEN RETURN NEW; END IF;
        END IF;
        RAISE EXCEPTION '{_ONE_FURTHER}'; END $$""",
    """CREATE TRIGGER verdicts_keep BEFORE UPDATE OR DELETE ON verdicts
        FOR EACH ROW EXECUTE FUNCTION verdicts_keep()""",
    """CREATE TRIGGER verdicts_keep_all BEFORE TRUNCATE ON verdicts
        FOR EACH STATEMENT EXECUTE FUNCTION verdicts_keep()""",
    """CREATE TRIGGER verdicts_head_keep BEFORE UPDATE OR DELETE ON verdicts_head
        FOR EACH ROW EXECUTE FUNCTION verdicts_one_further()""",
    """CREATE TRIGGER verdicts_head_keep_all BEFORE TRUNCATE ON verdicts_head
        FOR EACH STATEMENT EXECUTE FUNCTION verdicts_one_further()""",
)


def upgrade() -> None:
    """Make the tables of version 1."""
    op.create_table(
        "verdicts",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("reader", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("label", sa.Integer),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("withdraws", sa.Integer, unique=True),
        sa.Column("patch", sa.Text, nullable=False),
        sa.Column("strip", sa.Text, nullable=False),
        sa.Column("image_sha256", sa.Text, nullable=False),
        sa.Column("marked_label", sa.Integer, nullable=False),
        sa.Column("mask_sha256", sa.Text, nullable=False),
        sa.Column("blind", sa.Integer, nullable=False),
        sa.Column("weights_sha256", sa.Text),
        sa.Column("predicted", sa.Integer),
        sa.Column("probability", sa.Double),
        sa.Column("method", sa.Text),
        sa.Column("settings", sa.Text),
        sa.Column("target", sa.Integer),
        sa.Column("map_sha256", sa.Text),
        sa.Column("previous_sha256", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
    )
    op.create_index("verdicts_by_patch", "verdicts", ["patch", "reader", "number"])
    op.create_index("verdicts_by_reader", "verdicts", ["reader", "number"])
    head = op.create_table(
        "verdicts_head",
        sa.Column("only", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
    )
    op.bulk_insert(head, [{"only": 1, "number": 0, "sha256": "0" * 64}])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)

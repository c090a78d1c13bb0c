"""Alembic's entry: runs the migrations on the connection that `app.verdicts.schema` hands over."""

from alembic import context

from app.verdicts.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()

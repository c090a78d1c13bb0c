"""The versions of the database's schema, for Alembic; `app.verdicts.schema` brings a database up to the newest."""

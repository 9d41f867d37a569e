"""A Singer target for PostgreSQL that loads rows by COPY."""

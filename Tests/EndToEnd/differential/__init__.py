"""The same questions to Varve and to a real PostgreSQL 15: rows, names and types of columns, and SQLSTATEs must agree."""

"""The database of a served folder: its tables, its versions, and what is asked of it."""

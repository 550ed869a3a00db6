"""The schema of the platform's database, as migrations: see README.md."""

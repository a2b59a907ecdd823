"""PostgreSQL and Valkey of our own, where none are given: start, find, watch, stop."""

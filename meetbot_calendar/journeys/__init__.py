"""The recipes: claim, talk, record."""

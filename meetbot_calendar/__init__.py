"""Calendar in, bots out: the application."""

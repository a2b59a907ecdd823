"""What a calendar is. Pure."""

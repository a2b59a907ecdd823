"""When a bot should be where. Pure."""

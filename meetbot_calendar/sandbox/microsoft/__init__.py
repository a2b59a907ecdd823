"""Microsoft's end: the identity platform and Graph's calendars, as their clients see them."""

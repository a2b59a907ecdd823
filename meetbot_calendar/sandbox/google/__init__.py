"""Google's end: OAuth, consent, calendar lists, events and push, in Google's wire formats."""

"""MeetStream's calendar surface, as its clients call it: other words, the same journeys behind."""

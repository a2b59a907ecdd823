"""What a person types: one file per command, and what they share in starting things."""

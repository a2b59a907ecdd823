"""Bot fleets of other makes, each as an end that speaks its true wire format."""

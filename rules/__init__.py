"""The rule language: JsonLogic checked once, evaluated many times. Knows nobody."""

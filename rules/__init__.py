"""The rule language: JsonLogic checked once, evaluated many times. Knows nobody."""

from rules.evaluate import evaluate

__all__ = ["evaluate"]

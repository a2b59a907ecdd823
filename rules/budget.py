"""How much work one evaluation may do: steps are counted down, and none left is an error."""

from typing import Final

import msgspec

RULE_STEPS: Final = 100_000
"""For one rule of a rule set. A step is about one operator: some 20 to 50 ns."""
DECISION_STEPS: Final = 1_000_000
"""For all rules that one decision looks at."""
EVALUATION_STEPS: Final = 1_000_000
"""For one call of ``rules.evaluate``."""
LONGEST_TEXT: Final = 1 << 20
"""The longest text that a rule may build, in characters."""


class OutOfBudget(Exception):
    """An evaluation needed more steps, a longer text or deeper nesting than it may have."""


class Fuel(msgspec.Struct, gc=False):
    """The steps that are left."""

    left: int

    def spend(self, steps: int) -> None:
        """Take steps away. Raises ``OutOfBudget`` when there are not enough."""
        self.left -= steps
        if self.left < 0:
            raise OutOfBudget("the rule needs more steps than one evaluation may take")

    def spend_on_text(self, length: int) -> None:
        """Take the steps that making or scanning a text of so many characters costs."""
        if length > LONGEST_TEXT:
            raise OutOfBudget(f"the rule builds a text of over {LONGEST_TEXT:,} characters")
        self.spend(length >> 5)

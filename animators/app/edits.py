"""Amounts that a user has set, and the one step back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Edits:
    """How far a source is moved along directions, and what it was before the last edit.

    An edit is what happens to one direction until it is let go or another is taken: a slider that
    is dragged tells many amounts on its way.

    Attributes:
        amounts: by the directions' names; those left out are 0.
        before: the amounts before the last edit; None where there is nothing to undo.
        held: the direction that is being moved.
    """

    amounts: Mapping[str, float] = field(default_factory=dict)
    before: Mapping[str, float] | None = None
    held: str | None = None

    def move(self, name: str, amount: float) -> "Edits":
        """Set a direction's amount; what is the same already is no edit."""
        if amount == self.amounts.get(name, 0.0):
            return self
        others = {known: value for known, value in self.amounts.items() if known != name}
        before = self.before if name == self.held else self.amounts
        return Edits({**others, name: amount} if amount else others, before, name)

    def let_go(self) -> "Edits":
        """End an edit: the next movement begins another, be it of the same direction."""
        return replace(self, held=None)

    def undo(self) -> "Edits":
        """Take the last edit back; a second time there is nothing more to take."""
        return self if self.before is None else Edits(self.before)

    def clear(self) -> "Edits":
        """Set every amount to 0, as one edit."""
        return Edits({}, self.amounts) if self.amounts else self

"""The table of what fired, and whether that is enough."""

# After so many schedules each kind of fault must have fired.
ENOUGH = 50


class Table:
    def __init__(self, kinds, skipped):
        self.rows = {kind.name: [0, 0] for kind in kinds}
        self.skipped = skipped
        self.schedules, self.failed = 0, []

    def add(self, outcome):
        self.schedules += 1
        for fault in outcome.schedule.faults:
            self.rows[fault.kind.name][fault.fired_at is None] += 1
        if outcome.error is not None:
            self.failed.append(outcome.schedule.seed)

    def never(self):
        return [name for name, (fired, _) in self.rows.items() if fired == 0]

    def text(self):
        width = max(map(len, [*self.rows, *self.skipped]))
        lines = [f"{'fault':{width}}  fired  too late", "─" * (width + 17)]
        lines += [f"{name:{width}}  {fired:5}  {late:8}" for name, (fired, late) in self.rows.items()]
        lines += [f"{name:{width}}  SKIPPED: {reason}" for name, reason in self.skipped.items()]
        fired = sum(fired for fired, _ in self.rows.values())
        lines.append(f"{self.schedules} schedules, {fired} faults fired, {len(self.failed)} schedules failed")
        return "\n".join(lines)

    def complaint(self):
        """Why all of it has failed; None where it has not."""
        if self.failed:
            return f"schedules of seeds {', '.join(map(str, self.failed))}"
        if self.schedules >= ENOUGH and self.never():
            return f"never fired: {', '.join(self.never())}"
        if not any(fired for fired, _ in self.rows.values()):
            return "no fault fired"
        return None

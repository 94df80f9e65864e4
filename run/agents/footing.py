"""Whether a robot stands, has fallen or gets up, and how often it did so."""

from __future__ import annotations

STANDS = 1.0  # s upright without a break; a robot has stood up when such a second began
FELL = 0.7  # s after a fall in which the robot is said to have fallen; then one that can is said to get up
SAID = 3.0  # s in which the robot is said to have stood up


class Footing:
    """One robot's, from step to step; what is counted is counted over all its episodes."""

    def __init__(self, gets_up: bool) -> None:
        """Begin on its feet.

        Args:
          gets_up: whether it may stand up again, or a fall is the end.
        """
        self._gets_up = gets_up
        self.falls, self.rises = 0, 0
        self.begin(lying=False)

    def begin(self, lying: bool) -> None:
        """Begin an episode, on its feet or lying, which is no fall."""
        self.lies = lying  # it lay on the ground, and has not stood up since
        self.seconds_down = 0.0  # on the ground, less those off it
        self._fell = False  # in this episode
        self._lain = 0.0  # s since it lies
        self._upright = 0.0  # s without a break
        self._rose_in: float | None = None  # s, the last time in this episode

    def step(self, down: bool, seconds: float) -> None:
        """Take over whether it is on the ground after a step of so many s."""
        if down and not self.lies:
            self.lies, self._fell, self._lain = True, True, 0.0
            self.falls += 1
        elif self.lies:
            self._lain += seconds
        self.seconds_down = max(self.seconds_down + (seconds if down else -seconds), 0.0)
        self._upright = 0.0 if down else self._upright + seconds
        if self.lies and self._upright >= STANDS:
            self.lies, self.seconds_down, self._rose_in = False, 0.0, self._lain - self._upright
            self.rises += 1

    @property
    def words(self) -> str | None:
        """What is to be said of it; None: it stands, and has done so for a while."""
        if self.lies:
            return "fell" if self._fell and (self._lain < FELL or not self._gets_up) else "getting up"
        if self._rose_in is not None and self._upright < STANDS + SAID:
            return f"stood up in {self._rose_in:.1f} s"
        return None

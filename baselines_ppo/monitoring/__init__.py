"""What a training shows of itself on the way, and lets others do: evaluations, films, the user's callback."""

"""Many runs at once: found, grouped, compared, drawn, reported."""

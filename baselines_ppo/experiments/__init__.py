"""Many runs: started side by side, tuned, drawn and compared."""

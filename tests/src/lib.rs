//! Nothing but the home of the test binary `it` and of the thin programs that it starts.

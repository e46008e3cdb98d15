//! The one reason that readers of rows act on: a config that does not fit a matrix. Any other reason is for people.

/// How the reason begins.
const UNSUPPORTED: &str = "unsupported: ";

/// The reason where a config does not fit a stored matrix: a property of model and config, not a failure.
pub fn unsupported(tensor: &str, why: &str) -> String {
    format!("{UNSUPPORTED}{tensor}: {why}")
}

/// Tensor and cause where a reason is that of a config that does not fit.
pub fn unsupported_cause(reason: &str) -> Option<&str> {
    reason.strip_prefix(UNSUPPORTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_comes_back() {
        let reason = unsupported("mlp.up", "blocks of 256 do not divide a row of 96 weights");
        let cause = "mlp.up: blocks of 256 do not divide a row of 96 weights";
        assert_eq!(unsupported_cause(&reason), Some(cause));
        assert_eq!(unsupported_cause("kl was not measured"), None);
    }
}

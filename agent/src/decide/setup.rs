//! What a failed early setup() means: the code that plain k6 would have given.

/// Why `POST /v1/setup` did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupFailure {
    /// k6 answered with an error, and this reason.
    Refused(String),
    /// The connection ended without an answer.
    Dropped(String),
}

/// How to get by where an early setup() cannot work.
const CURE: &str = "this call works only in a running test: use `--setup k6` to leave setup() to k6, after the instant";

impl SetupFailure {
    /// The code with which plain k6 ends when its own setup() fails like this.
    ///
    /// The texts are those of k6 v1.1.0 and v2.2.0. k6 drops the connection where
    /// setup() waits for a promise that never settles: plain k6 panics there (109).
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Dropped(_) => 109,
            Self::Refused(reason) if reason.contains("setup() execution timed out") => 100,
            Self::Refused(reason) if reason.starts_with("test aborted:") => 108,
            Self::Refused(reason) if reason.starts_with("error marshaling") => 255,
            Self::Refused(reason) if reason.starts_with("Uncaught (in promise)") => 255,
            Self::Refused(_) => 107,
        }
    }

    /// What happened, and the cure where there is one.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(reason) => {
                let reason = reason.trim();
                if reason.contains("getting instance information") {
                    format!("setup() failed: {reason}; {CURE}")
                } else {
                    format!("setup() failed: {reason}")
                }
            }
            Self::Dropped(detail) => format!(
                "setup() failed: k6 gave no answer ({detail}); it may wait for a promise that never settles"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("setup() execution timed out after 1 seconds", 100)]
    #[case("test aborted: enough at setup (file:///s.js:2:41(6))", 108)]
    #[case("error marshaling setup() data to JSON: json: unsupported value", 255)]
    #[case("Uncaught (in promise) Error: no luck", 255)]
    #[case("Error: no luck", 107)]
    #[case("Error: it said 'test aborted: x'", 107)]
    #[case("", 107)]
    fn a_refused_setup_has_the_code_of_plain_k6(#[case] reason: &str, #[case] code: u8) {
        assert_eq!(SetupFailure::Refused(reason.to_owned()).code(), code);
    }

    #[test]
    fn a_dropped_connection_is_a_failure() {
        assert_eq!(SetupFailure::Dropped("closed".to_owned()).code(), 109);
    }

    #[test]
    fn a_call_that_needs_a_running_test_names_the_cure() {
        let text = "GoError: getting instance information in the init context is not supported";
        let reason = SetupFailure::Refused(text.to_owned()).reason();
        assert!(reason.contains("--setup k6"), "{reason}");
    }
}

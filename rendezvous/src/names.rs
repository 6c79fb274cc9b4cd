//! Names that cross between the two sides, checked once and trusted after.
//!
//! Each obeys the narrowest rule of the places in which it is used: a label
//! value, a part of an object's name or a file name. So none can hold a path
//! separator, a line break or anything else that needs escaping.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} cannot be used: it must be {rule}")]
pub struct NameError {
    /// What the name was meant for, such as "stage".
    pub what: &'static str,
    /// The name as it was given, at most its first 80 characters.
    pub value: String,
    /// What a name of this kind looks like.
    pub rule: &'static str,
}

/// Kubernetes limits label values, and each dot-free part of a DNS name, to this
/// many characters (RFC 1123, section 2.1).
const LABEL_MAX: usize = 63;

fn is_label_value(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= LABEL_MAX
        && ends(text.chars().next())
        && ends(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

pub(crate) fn is_dns_label(text: &str, longest: usize) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= longest
        && text.chars().next().is_some_and(inner)
        && text.chars().next_back().is_some_and(inner)
        && text.chars().all(|c| inner(c) || c == '-')
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the name.
            ///
            /// # Errors
            /// [`NameError`] with the rule that it breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    let value = text.chars().take(80).collect();
                    Err(NameError { what: $what, value, rule: $rule })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }
    };
}

name!(
    /// One execution of the load test. On Kubernetes the UID of the Job, so that a
    /// left-over plan of an earlier Job of the same name can never start anything.
    RunId,
    "run id",
    "1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends",
    is_label_value
);

name!(
    /// One coordinated start within a run, such as `warmup` or `main`.
    StageName,
    "stage",
    "1 to 40 lower-case letters, digits or '-', with a letter or digit at both ends",
    |text| is_dns_label(text, 40)
);

name!(
    /// One runner of a run: the pod's UID, or a name given by hand. With the stage
    /// it names the runner's report.
    RunnerId,
    "runner id",
    "1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends",
    |text| is_dns_label(text, LABEL_MAX)
);

name!(
    /// Tells one plan from any other, also from one for the same run and stage
    /// that was deleted.
    PlanId,
    "plan id",
    "1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends",
    |text| is_dns_label(text, LABEL_MAX)
);

name!(
    /// Tells one process of a runner from the one before it in the same pod: a
    /// container that was restarted has the same pod UID and another incarnation.
    Incarnation,
    "incarnation",
    "1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends",
    |text| is_dns_label(text, LABEL_MAX)
);

impl PlanId {
    /// A new one, random.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

impl Incarnation {
    /// A new one, random.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

impl RunId {
    /// A new one, random, for a run that no Job stands for.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("main")]
    #[case("z-warmup")]
    #[case("2")]
    fn a_stage_may_be(#[case] text: &str) {
        assert_eq!(StageName::new(text).unwrap().as_str(), text);
    }

    #[rstest]
    #[case("")]
    #[case("Main")]
    #[case("-main")]
    #[case("main-")]
    #[case("a/b")]
    #[case("a b")]
    #[case("a\nb")]
    #[case("..")]
    #[case("näh")]
    #[case("abcdefghijabcdefghijabcdefghijabcdefghijx")]
    fn a_stage_may_not_be(#[case] text: &str) {
        let error = StageName::new(text).unwrap_err();
        assert!(error.to_string().contains("stage"), "{error}");
    }

    #[test]
    fn random_names_obey_their_own_rules() {
        RunId::new(RunId::random().as_str()).unwrap();
        PlanId::new(PlanId::random().as_str()).unwrap();
        Incarnation::new(Incarnation::random().as_str()).unwrap();
    }

    #[test]
    fn a_name_of_any_length_makes_a_short_message() {
        let error = RunId::new("x".repeat(1_000_000)).unwrap_err();
        assert!(error.to_string().len() < 400);
    }
}

//! What a watch over a plan holds true, and what of it is news. Values only.
//!
//! The object is seen in two ways at once, by a watch and by polling, and neither may
//! bring back what the other has already shown to be past.

use tokio::time::Instant;

use super::config_map::BoardContent;
use crate::store::StoreError;

/// The state of an object, as the API server counts states: by numbers that grow. Clients may
/// compare them since Kubernetes 1.35 (KEP-5504), and earlier servers count alike. One that
/// is no number is never newer than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Version(Option<u64>);

impl Version {
    /// That which a `resourceVersion` names.
    pub fn of(text: Option<&str>) -> Self {
        Self(text.and_then(|text| text.parse().ok()))
    }
}

/// One look at the object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What it holds for the stage; nothing, if it is not there.
    pub content: BoardContent,
    /// Which state that is; unknown if it is not there, and was not listed.
    pub version: Version,
    /// When it was asked for. A change that is sent unasked may be of any age.
    pub asked: Option<Instant>,
    /// When it was seen.
    pub seen: Instant,
}

/// What was seen and told so far.
#[derive(Debug, Default)]
pub struct View {
    held: Option<(Version, Instant)>,
    told: Option<Result<BoardContent, StoreError>>,
}

impl View {
    /// What a look brings that was not told yet.
    pub fn look(&mut self, look: Look) -> Option<BoardContent> {
        let version = match self.held {
            None => look.version,
            Some((held, seen)) => {
                // The API server answers with what is there when it is asked, or later: even
                // with a smaller version, if it was set up anew from a backup.
                let is_later = look.asked.is_some_and(|asked| asked >= seen);
                if !is_later && look.version <= held {
                    return None;
                }
                // What is not there has no version, and what was there before it stays past.
                if look.version == Version::default() {
                    held
                } else {
                    look.version
                }
            }
        };
        self.held = Some((version, look.seen));
        if self.told.as_ref() == Some(&Ok(look.content.clone())) {
            return None;
        }
        self.told = Some(Ok(look.content.clone()));
        Some(look.content)
    }

    /// The object cannot be read. What is then found is told even if it was told before.
    pub fn fail(&mut self, error: StoreError) -> Option<StoreError> {
        if self.told.as_ref() == Some(&Err(error.clone())) {
            return None;
        }
        self.told = Some(Err(error.clone()));
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::time::Duration;

    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    /// The whole of a history that is tested, and moments in it.
    struct History {
        view: View,
        start: Instant,
    }

    impl History {
        fn new() -> Self {
            Self {
                view: View::default(),
                start: Instant::now(),
            }
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        /// A read that was asked for and answered at these seconds.
        fn read(&mut self, asked: u64, seen: u64, version: Option<u64>, text: &str) -> bool {
            let asked = Some(self.at(asked));
            self.look(asked, seen, version, text)
        }

        /// A change that was sent.
        fn event(&mut self, seen: u64, version: u64, text: &str) -> bool {
            self.look(None, seen, Some(version), text)
        }

        /// Whether it is told.
        fn look(
            &mut self,
            asked: Option<Instant>,
            seen: u64,
            version: Option<u64>,
            text: &str,
        ) -> bool {
            let seen = self.at(seen);
            let look = Look {
                content: content(text),
                version: Version(version),
                asked,
                seen,
            };
            let told = self.view.look(look);
            assert!(told.is_none() || told == Some(content(text)));
            told.is_some()
        }
    }

    fn content(text: &str) -> BoardContent {
        let key = ("plan-main.json".to_owned(), text.to_owned());
        let object = ConfigMap {
            data: Some(BTreeMap::from([key])),
            ..ConfigMap::default()
        };
        let object = (!text.is_empty()).then_some(&object);
        BoardContent::of(object, &"main".parse().unwrap())
    }

    fn error(detail: &str) -> StoreError {
        StoreError::Unavailable {
            action: "get it".to_owned(),
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn what_is_there_is_told_once_whoever_sees_it() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(5), "a"));
        assert!(!history.read(2, 3, Some(5), "a"));
        assert!(!history.event(4, 5, "a"));
        assert!(
            !history.event(5, 6, "a"),
            "something else of it has changed"
        );
        assert!(history.event(6, 7, "b"));
        assert!(!history.read(7, 8, Some(7), "b"));
    }

    #[test]
    fn that_it_is_not_there_is_told_as_well() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(5), ""));
        assert!(!history.read(2, 3, None, ""));
        assert!(history.event(4, 6, "a"));
        assert!(history.read(5, 6, None, ""));
        assert!(history.event(7, 9, "b"));
    }

    #[test]
    fn a_late_event_does_not_bring_back_what_a_poll_has_seen_pass() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(5), "gathering"));
        assert!(history.read(2, 3, Some(9), "set"));
        assert!(!history.event(4, 7, "gathering"));
        assert!(!history.event(5, 9, "set"));
    }

    #[test]
    fn a_slow_poll_does_not_bring_back_what_an_event_has_replaced() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(5), "gathering"));
        assert!(history.event(3, 9, "set"));
        assert!(
            !history.read(2, 4, Some(5), "gathering"),
            "asked for before"
        );
        assert!(!history.read(2, 5, None, ""), "asked for before");
        assert!(!history.read(3, 6, Some(9), "set"));
    }

    #[test]
    fn what_was_deleted_does_not_come_back_by_what_was_sent_before() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(5), "a"));
        assert!(history.read(2, 3, None, ""));
        assert!(!history.event(4, 5, "a"));
        assert!(history.event(5, 6, "b"), "made again since");
    }

    #[test]
    fn a_server_restored_from_a_backup_is_believed_when_it_is_asked() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(500), "new"));
        assert!(!history.event(2, 300, "old"));
        assert!(history.read(3, 4, Some(300), "old"));
        assert!(history.event(5, 301, "newer"));
    }

    #[test]
    fn versions_that_are_no_numbers_leave_it_to_polling() {
        let mut history = History::new();
        assert_eq!(Version::of(Some("abc")), Version::default());
        assert!(history.read(0, 1, None, "a"));
        assert!(!history.look(None, 2, None, "b"));
        assert!(history.read(3, 4, None, "b"));
    }

    #[test]
    fn an_error_is_told_once_while_it_lasts_and_then_what_is_there() {
        let mut history = History::new();
        assert!(history.read(0, 1, Some(5), "a"));
        assert_eq!(history.view.fail(error("x")), Some(error("x")));
        assert_eq!(history.view.fail(error("x")), None);
        assert_eq!(history.view.fail(error("y")), Some(error("y")));
        assert!(history.read(2, 3, Some(5), "a"));
        assert_eq!(history.view.fail(error("y")), Some(error("y")));
    }
}

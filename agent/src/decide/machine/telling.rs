//! What a runner tells of itself.

use super::{Machine, State, Trouble};

impl Machine {
    /// What is worth telling to people, since it was asked last.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// What the runner waits for, for people.
    #[must_use]
    pub fn waiting_for(&self) -> Option<String> {
        let what = match &self.state {
            State::Admitting => "the store".to_owned(),
            State::Building { .. } => match (self.api_seen, self.vus, &self.api_trouble) {
                (_, _, Some(trouble)) => format!("k6's API: {trouble}"),
                (true, Some(vus), None) => format!("k6 to build its VUs, {vus} so far"),
                (true, None, None) => "k6 to build its VUs".to_owned(),
                (false, ..) => "k6 to read the script".to_owned(),
            },
            State::SettingUp | State::SetupDropped { .. } => "setup()".to_owned(),
            State::Waiting => match (self.clock_trouble(), &self.left_over, &self.seen) {
                (Some(trouble), ..) => trouble,
                (None, Some(left_over), _) => format!("a plan ({left_over})"),
                (None, None, None) => "a plan".to_owned(),
                (None, None, Some(_)) => "the instant".to_owned(),
            },
            State::Stopping { .. } => "k6 to end".to_owned(),
            State::Armed { .. } => return self.clock_trouble(),
            State::Confirming { .. } | State::Running | State::Ended(_) => {
                return None;
            }
        };
        Some(match self.trouble() {
            Some(trouble) => format!("{what}; {}", trouble.text),
            None => what,
        })
    }

    /// What is to be told as soon as it changes.
    pub(super) fn news(&self) -> impl PartialEq + use<> {
        let (seen, start) = (self.seen.clone(), self.start.clone());
        // The next renewal may be a minute away, and this wants somebody's hand.
        let hopeless = self.troubles().any(|it| it.hopeless_since.is_some());
        (self.phase, seen, start, self.obstacle, hopeless)
    }

    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.troubles().next()
    }

    pub(super) fn troubles(&self) -> impl Iterator<Item = &Trouble> {
        let all = [
            &self.trouble_reading,
            &self.trouble_earlier,
            &self.trouble_writing,
        ];
        all.into_iter().flatten()
    }
}

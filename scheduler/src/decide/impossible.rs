//! Why a quorum cannot come any more, in words.

use rendezvous::RunnerId;

use super::job::Prospect;
use super::roster::Roster;
use super::words::{few, runners};

/// Why, where it is not for those that have ended.
const CLOCKS: &str = "too many clocks contradict the others'";

/// Those that have ended.
#[must_use]
pub fn ended(roster: &Roster) -> Vec<RunnerId> {
    let ended = roster.iter().filter(|(_, observed)| observed.has_ended());
    ended.map(|(runner, _)| runner.clone()).collect()
}

/// Why the quorum cannot come any more. `prospect`: what may still come of the run's Job, if it has one.
#[must_use]
pub fn why(roster: &Roster, prospect: Option<&Prospect>) -> String {
    let ended = ended(roster);
    let names: Vec<_> = ended.iter().map(|runner| roster.name(runner)).collect();
    let ended = (!names.is_empty()).then(|| format!("{} ended", few(&names)));
    match prospect {
        Some(Prospect::Over(how)) => format!("the Job {how}"),
        Some(Prospect::Replaced) => "the Job is gone, and another one has its name".to_owned(),
        Some(Prospect::AtMost { runners: most, why }) => {
            let most = runners(*most as usize);
            let because = why.as_ref().map(|why| format!(", as {why}"));
            let ended = ended.map(|ended| format!("; {ended}"));
            format!(
                "the Job brings no more than {most}{}{}",
                because.unwrap_or_default(),
                ended.unwrap_or_default()
            )
        }
        // Who has ended is no reason: others come.
        Some(Prospect::Open) => CLOCKS.to_owned(),
        None => ended.unwrap_or_else(|| CLOCKS.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::witness::{Seen, Sighting};
    use crate::testing::{a_report, runner};
    use rendezvous::Phase;
    use rstest::rstest;
    use tokio::time::Instant;

    fn at_most(why: Option<&str>) -> Option<Prospect> {
        let why = why.map(str::to_owned);
        Some(Prospect::AtMost { runners: 3, why })
    }

    fn over() -> Option<Prospect> {
        Some(Prospect::Over("was deleted".to_owned()))
    }

    #[rstest]
    #[case::of_nobody_in_particular(None, "k6-2-x7, r1 ended")]
    #[case::of_a_job(
        at_most(None),
        "the Job brings no more than 3 runners; k6-2-x7, r1 ended"
    )]
    #[case::of_a_job_that_gave_up(
        at_most(Some("it gave up index 2")),
        "the Job brings no more than 3 runners, as it gave up index 2; k6-2-x7, r1 ended"
    )]
    #[case::of_a_job_that_is_gone(over(), "the Job was deleted")]
    #[case::of_a_job_that_was_replaced(
        Some(Prospect::Replaced),
        "the Job is gone, and another one has its name"
    )]
    #[case::of_pods_that_others_come_for(
        Some(Prospect::Open),
        "too many clocks contradict the others'"
    )]
    fn it_names_who_ended_and_why_nobody_else_comes(
        #[case] prospect: Option<Prospect>,
        #[case] expected: &str,
    ) {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.report(a_report("r1", Phase::Failed), true, now);
        roster.report(a_report("r2", Phase::Ready), true, now);
        let deleted = Sighting {
            runner: runner("a-uid"),
            name: Some("k6-2-x7".to_owned()),
            state: Seen::Gone("its pod was deleted".to_owned()),
        };
        roster.sighting(deleted, now);
        assert_eq!(why(&roster, prospect.as_ref()), expected);
    }

    #[test]
    fn where_nobody_ended_it_is_the_clocks() {
        let why = why(&Roster::default(), None);
        assert_eq!(why, "too many clocks contradict the others'");
    }
}

//! Whether the runners take their time from the same sources.
//!
//! A bound says how far a clock is off what its sources say. Where runners share none, one
//! wrong source puts some of them apart from the others, and no bound shows it. What each machine
//! has for itself (its kernel, a server on its loopback, its own unmeasured clock) is another source
//! on each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use rendezvous::{ClockReport, Report};

use super::words::few;

/// A runner's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock<'a> {
    /// The runner's name.
    pub runner: &'a str,
    /// The machine that it runs on. `None`: it does not say so, and is taken to share one with all that do not.
    pub node: Option<&'a str>,
    /// What it says of its clock.
    pub report: &'a ClockReport,
}

impl<'a> Clock<'a> {
    /// That of a runner by its report.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        Self {
            runner: &report.name,
            node: report.node.as_deref(),
            report: &report.clock,
        }
    }
}

/// A time source by its name, and the machine that it is of if each has its own.
type Source<'a> = (&'a str, Option<&'a str>);

/// How far the runners' time sources are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// All take the time from the very same.
    All,
    /// Some do without one that others use, but each two share one: it keeps them together.
    InPart,
    /// Some two share none.
    None,
}

/// The runners that take their time from the same sources.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group<'a> {
    /// Where nobody was asked: their machine's own clock.
    sources: BTreeSet<Source<'a>>,
    /// Whether anybody was asked.
    asks: bool,
    words: String,
    runners: Vec<&'a str>,
}

/// Who takes the time from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources<'a> {
    /// The greatest first.
    groups: Vec<Group<'a>>,
    /// What is not used, why, and by whom.
    unused: Vec<(&'a str, &'a str, Vec<&'a str>)>,
}

/// What a runner says of a source that it has no use for, as it has better ones: nobody misses it.
const NOT_NEEDED: &str = "not needed";

/// The source that is the machine's own time daemon, which nobody has verified.
const KERNEL: &str = "kernel";

/// How many groups a line names before the rest is only counted.
const GROUPS: usize = 3;

impl<'a> Sources<'a> {
    /// Those of some runners, in the order in which these are to be named.
    #[must_use]
    pub fn of(clocks: &[Clock<'a>]) -> Self {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut unused: BTreeMap<(&str, &str), (&str, Vec<&str>)> = BTreeMap::new();
        for clock in clocks {
            let Clock { runner, report, .. } = clock;
            let sources = sources(clock);
            match groups.iter_mut().find(|group| group.sources == sources) {
                Some(group) => group.runners.push(runner),
                None => groups.push(Group {
                    words: words(&sources, report),
                    asks: !report.used.is_empty(),
                    sources,
                    runners: vec![runner],
                }),
            }
            for rejected in &report.rejected {
                let (source, reason) = rejected.split_once(": ").unwrap_or((rejected, "no reason"));
                if reason == NOT_NEEDED {
                    continue;
                }
                let first = unused
                    .entry((source, kind(reason)))
                    .or_insert((reason, Vec::new()));
                first.1.push(runner);
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.runners.len()));
        let unused = unused.into_iter();
        Self {
            groups,
            unused: unused
                .map(|((source, _), (reason, runners))| (source, reason, runners))
                .collect(),
        }
    }

    /// How far they are the same.
    #[must_use]
    pub fn shared(&self) -> Shared {
        let apart = |one: &Group<'_>, other: &Group<'_>| one.sources.is_disjoint(&other.sources);
        let mut pairs = self.groups.iter().enumerate();
        let any_apart = pairs.any(|(at, one)| {
            let mut later = self.groups.iter().skip(at + 1);
            later.any(|other| apart(one, other))
        });
        match self.groups.len() {
            0 | 1 => Shared::All,
            _ if any_apart => Shared::None,
            _ => Shared::InPart,
        }
    }

    /// Whether there is anything to tell: not where no runner asks anybody.
    #[must_use]
    pub fn are_worth_telling(&self) -> bool {
        self.groups.len() > 1 || self.groups.iter().any(|group| group.asks)
    }

    /// Who uses what, in a line.
    #[must_use]
    pub fn line(&self) -> String {
        if let [only] = self.groups.as_slice() {
            return only.words.clone();
        }
        let mut told: Vec<_> = self
            .groups
            .iter()
            .take(GROUPS)
            .map(|group| format!("{} ({})", group.words, few(&group.runners)))
            .collect();
        let beyond: Vec<_> = self.groups.iter().skip(GROUPS).collect();
        if !beyond.is_empty() {
            let runners: usize = beyond.iter().map(|group| group.runners.len()).sum();
            told.push(format!("others ({runners} more)"));
        }
        told.join("; ")
    }

    /// A line for each source that some do not use: who does not, and why. Reasons that differ
    /// only in a figure are one, and the first runner's figure is told.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let told = |(source, reason, runners): &(&str, &str, Vec<&str>)| {
            format!("{source} is not used by {}: {reason}", few(runners))
        };
        self.unused.iter().map(told).collect()
    }

    /// What to be warned of: that some share no source. Not that some do without one.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.shared() == Shared::None).then(|| {
            format!(
                "runners use different time sources, whose difference no bound shows: {}",
                self.line()
            )
        })
    }
}

/// Those of a runner.
fn sources<'a>(clock: &Clock<'a>) -> BTreeSet<Source<'a>> {
    let report = clock.report;
    if report.used.is_empty() {
        return BTreeSet::from([(report.source.as_str(), clock.node)]);
    }
    let used = report.used.iter().map(String::as_str);
    used.map(|name| (name, clock.node.filter(|_| is_of_one_machine(name))))
        .collect()
}

/// Whether each machine has a source of this name for itself.
fn is_of_one_machine(name: &str) -> bool {
    let host = match name.parse::<SocketAddr>() {
        Ok(address) => return address.ip().is_loopback(),
        Err(_) => name.trim_matches(['[', ']']),
    };
    let is_loopback = host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let named = host.split_once(':').map_or(host, |(host, _)| host);
    is_loopback || named == KERNEL || named.eq_ignore_ascii_case("localhost")
}

/// What a group is called. Who asks nobody names no source, but says what it goes by.
fn words(sources: &BTreeSet<Source<'_>>, report: &ClockReport) -> String {
    let names: Vec<_> = sources.iter().map(|source| named(*source)).collect();
    match names.as_slice() {
        [own] if report.used.is_empty() && report.error.is_none() => format!("{own}, unmeasured"),
        [own] if report.used.is_empty() => own.clone(),
        [kernel] if report.used == [KERNEL] => format!("{kernel}, unverified"),
        [single] => format!("{single} (single)"),
        names => names.join(", "),
    }
}

fn named((name, node): Source<'_>) -> String {
    match node {
        Some(node) => format!("{name} of {node}"),
        None => name.to_owned(),
    }
}

/// A reason up to its figures.
fn kind(reason: &str) -> &str {
    let figures = reason.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    figures.map_or(reason, |at| &reason[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::a_clock;
    use proptest::prelude::*;
    use rstest::rstest;

    fn clocks<'a>(reports: &'a [(String, ClockReport)]) -> Vec<Clock<'a>> {
        let clock = |(runner, report): &'a (String, ClockReport)| Clock {
            runner,
            node: None,
            report,
        };
        reports.iter().map(clock).collect()
    }

    #[rstest]
    #[case::the_kernels(&["kernel"], "kernel of n1, unverified (r1, r3); kernel of n2, unverified (r2)")]
    #[case::their_own_clocks(&[], "system clock of n1, unmeasured (r1, r3); system clock of n2, unmeasured (r2)")]
    #[case::a_server_on_loopback(&["127.0.0.1"], "127.0.0.1 of n1 (single) (r1, r3); 127.0.0.1 of n2 (single) (r2)")]
    #[case::a_port_of_it(&["[::1]:1123"], "[::1]:1123 of n1 (single) (r1, r3); [::1]:1123 of n2 (single) (r2)")]
    #[case::by_its_name(&["localhost:123"], "localhost:123 of n1 (single) (r1, r3); localhost:123 of n2 (single) (r2)")]
    fn what_each_machine_has_for_itself_is_not_shared(#[case] used: &[&str], #[case] line: &str) {
        let report = a_clock(used, &[]);
        let clock = |runner, node| Clock {
            runner,
            node: Some(node),
            report: &report,
        };
        let on_two = Sources::of(&[clock("r1", "n1"), clock("r2", "n2"), clock("r3", "n1")]);
        assert_eq!(on_two.shared(), Shared::None);
        assert!(on_two.are_worth_telling());
        assert_eq!(on_two.line(), line);
        let on_one = Sources::of(&[clock("r1", "n1"), clock("r2", "n1")]);
        assert_eq!(on_one.shared(), Shared::All);
        assert_eq!(on_one.warning(), None);
    }

    #[rstest]
    #[case::a_server(&["10.0.0.2"], Shared::All)]
    #[case::a_clouds_own(&["169.254.169.123"], Shared::All)]
    #[case::besides_their_kernels(&["10.0.0.2", "kernel"], Shared::InPart)]
    fn what_is_the_same_for_all_machines_is_shared(#[case] used: &[&str], #[case] shared: Shared) {
        let report = a_clock(used, &[]);
        let clock = |node| Clock {
            runner: node,
            node: Some(node),
            report: &report,
        };
        assert_eq!(Sources::of(&[clock("n1"), clock("n2")]).shared(), shared);
    }

    /// What is made of runners r1, r2, … that use these sources.
    fn using(used: &[&[&str]]) -> Vec<(String, ClockReport)> {
        let named = used.iter().enumerate();
        named
            .map(|(at, used)| (format!("r{}", at + 1), a_clock(used, &[])))
            .collect()
    }

    #[rstest]
    #[case::nobody(&[], Shared::All)]
    #[case::one(&[&["a"][..]], Shared::All)]
    #[case::the_same(&[&["a", "b"][..], &["b", "a"]], Shared::All)]
    #[case::none_at_all(&[&[][..], &[]], Shared::All)]
    #[case::one_does_without(&[&["a", "b"][..], &["a"], &["a", "b"]], Shared::InPart)]
    #[case::each_does_without_another(&[&["a", "b"][..], &["b", "c"], &["a", "c"]], Shared::InPart)]
    #[case::different(&[&["a"][..], &["a"], &["b"]], Shared::None)]
    #[case::a_chain(&[&["a", "b"][..], &["b", "c"], &["c", "d"]], Shared::None)]
    #[case::one_asks_nobody(&[&["a"][..], &[]], Shared::None)]
    fn how_far_they_share_their_sources(#[case] used: &[&[&str]], #[case] expected: Shared) {
        let reports = using(used);
        let clocks = clocks(&reports);
        let sources = Sources::of(&clocks);
        assert_eq!(sources.shared(), expected);
        assert_eq!(sources.warning().is_some(), expected == Shared::None);
    }

    #[test]
    fn those_that_use_the_same_are_told_together_and_the_greatest_group_first() {
        let mut reports = using(&[&["b"], &["a"], &["a"], &["a"], &["a"], &["a"]]);
        reports.push(("r7".to_owned(), a_clock(&[], &[])));
        let clocks = clocks(&reports);
        assert_eq!(
            Sources::of(&clocks).warning().unwrap_or_default(),
            "runners use different time sources, whose difference no bound shows: \
             a (single) (r2, r3, r4 and 2 more); b (single) (r1); system clock, unmeasured (r7)"
        );
    }

    #[test]
    fn a_hundred_different_ones_still_fit_a_line() {
        let names: Vec<_> = (0..100).map(|n| format!("10.0.0.{n}")).collect();
        let used: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
        let used: Vec<&[&str]> = used.iter().map(|name| &name[..]).collect();
        let reports = using(&used);
        let clocks = clocks(&reports);
        let line = Sources::of(&clocks).line();
        assert!(line.ends_with("; others (97 more)"), "{line}");
        assert!(line.len() < 120, "{line}");
    }

    #[test]
    fn what_is_not_used_is_told_with_the_reason_and_by_whom() {
        let rejected = |ms: u32| format!("10.0.0.2: falseticker, +{ms} ms off");
        let silent = "[fd00::1]:123: no answer";
        let mut reports: Vec<_> = (1..=5)
            .map(|n| (format!("r{n}"), a_clock(&["10.0.0.1"], &[&rejected(n)])))
            .collect();
        reports[1].1.rejected.push(silent.to_owned());
        reports[3].1.rejected.push("kernel: not needed".to_owned());
        reports[4].1.rejected.push("10.0.0.3".to_owned());
        let clocks = clocks(&reports);
        assert_eq!(
            Sources::of(&clocks).unused(),
            [
                "10.0.0.2 is not used by r1, r2, r3 and 2 more: falseticker, +1 ms off",
                "10.0.0.3 is not used by r5: no reason",
                "[fd00::1]:123 is not used by r2: no answer"
            ]
        );
    }

    #[test]
    fn where_nobody_is_asked_there_is_nothing_to_tell() {
        let reports = using(&[&[], &[]]);
        let clocks = clocks(&reports);
        assert!(!Sources::of(&clocks).are_worth_telling());
    }

    proptest! {
        #[test]
        fn it_is_as_comparing_each_with_each_and_the_order_does_not_matter(
            used in prop::collection::vec(prop::collection::btree_set("[abc]", 1..3), 1..7),
        ) {
            let share = |one: &BTreeSet<String>, other: &BTreeSet<String>| !one.is_disjoint(other);
            let all_equal = used.iter().all(|one| *one == used[0]);
            let all_share = used.iter().all(|one| used.iter().all(|other| share(one, other)));
            let expected = match (all_equal, all_share) {
                (true, _) => Shared::All,
                (false, true) => Shared::InPart,
                (false, false) => Shared::None,
            };
            let mut reports: Vec<_> = used.iter().enumerate().map(|(n, used)| {
                let used: Vec<_> = used.iter().map(String::as_str).collect();
                (format!("r{n}"), a_clock(&used, &[]))
            }).collect();
            prop_assert_eq!(Sources::of(&clocks(&reports)).shared(), expected);
            reports.reverse();
            prop_assert_eq!(Sources::of(&clocks(&reports)).shared(), expected);
        }
    }
}

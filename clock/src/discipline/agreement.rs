//! What a majority of the sources says.

use super::interval::Interval;

/// How many of `voters` are a majority: ⌊m/2⌋ + 1.
pub(crate) fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// From the lowest to the highest point that at least `quorum` of the intervals
/// cover. None if no point is covered so often, or if the quorum is nobody.
///
/// With the majority of m voters as the quorum q the truth lies inside as long as
/// at most m − q of them lie: the others all cover it. There may be points in
/// between that fewer cover; leaving them out would mean to choose between two
/// majorities, and the largest overlap alone misses the truth in a quarter of the
/// cases with one liar in three.
pub(crate) fn agree(intervals: &[Interval], quorum: usize) -> Option<Interval> {
    let covered = |point| {
        let covers = |other: &&Interval| other.earliest <= point && point <= other.latest;
        quorum > 0 && intervals.iter().filter(covers).count() >= quorum
    };
    // Cover rises only where an interval begins and falls only where one ends.
    let starts = intervals.iter().map(|interval| interval.earliest);
    let ends = intervals.iter().map(|interval| interval.latest);
    Some(Interval {
        earliest: starts.filter(|start| covered(*start)).min()?,
        latest: ends.filter(|end| covered(*end)).max()?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn between(earliest: i64, latest: i64) -> Interval {
        Interval {
            earliest: DateTime::from_timestamp_nanos(earliest),
            latest: DateTime::from_timestamp_nanos(latest),
        }
    }

    fn vote(intervals: &[Interval]) -> Option<Interval> {
        agree(intervals, majority(intervals.len()))
    }

    /// The places of those that are wholly outside.
    fn falsetickers(intervals: &[Interval], agreed: Interval) -> Vec<usize> {
        let places = intervals.iter().enumerate();
        let outside = places.filter(|(_, voter)| voter.distance_from(agreed).is_some());
        outside.map(|(place, _)| place).collect()
    }

    #[track_caller]
    fn assert_agreed(intervals: &[Interval], interval: Interval, outside: &[usize]) {
        assert_eq!(vote(intervals), Some(interval));
        assert_eq!(falsetickers(intervals, interval), outside);
    }

    #[test]
    fn nobody_agrees_on_nothing() {
        assert_eq!(vote(&[]), None);
        assert_eq!(agree(&[], 0), None);
    }

    #[test]
    fn a_single_source_is_believed() {
        assert_agreed(&[between(3, 8)], between(3, 8), &[]);
    }

    #[test]
    fn two_sources_must_overlap() {
        assert_agreed(&[between(0, 10), between(5, 15)], between(5, 10), &[]);
        assert_eq!(vote(&[between(0, 10), between(11, 15)]), None);
    }

    #[test]
    fn two_of_three_outvote_the_third_and_name_it() {
        assert_agreed(
            &[between(0, 10), between(100, 110), between(5, 15)],
            between(5, 10),
            &[1],
        );
    }

    #[test]
    fn one_of_three_that_overlaps_widens_the_result_and_is_no_falseticker() {
        assert_agreed(
            &[between(0, 10), between(5, 15), between(14, 20)],
            between(5, 15),
            &[],
        );
    }

    #[test]
    fn three_of_four_are_a_majority_and_two_of_four_are_none() {
        let honest = between(0, 10);
        let liar = between(100, 110);
        assert_agreed(&[honest, honest, liar, honest], honest, &[2]);
        assert_eq!(vote(&[honest, honest, liar, liar]), None);
        assert_eq!(vote(&[honest, honest, liar, between(200, 210)]), None);
    }

    #[test]
    fn touching_in_one_point_is_agreement() {
        assert_agreed(&[between(0, 10), between(10, 20)], between(10, 10), &[]);
    }

    /// What a majority covers, found by trying every point.
    fn by_trying(intervals: &[Interval], quorum: usize) -> Option<Interval> {
        let points = (-400..=400).map(DateTime::from_timestamp_nanos);
        let covered: Vec<_> = points
            .filter(|point| {
                let covers = |voter: &&Interval| (voter.earliest..=voter.latest).contains(point);
                intervals.iter().filter(covers).count() >= quorum
            })
            .collect();
        Some(Interval {
            earliest: *covered.first()?,
            latest: *covered.last()?,
        })
    }

    fn anywhere() -> impl Strategy<Value = Interval> {
        (-200..200_i64, 0..200_i64).prop_map(|(start, width)| between(start, start + width))
    }

    /// An interval that covers 0.
    fn honest() -> impl Strategy<Value = Interval> {
        (0..200_i64, 0..200_i64).prop_map(|(before, after)| between(-before, after))
    }

    proptest! {
        #[test]
        fn the_result_is_what_trying_every_point_finds(
            intervals in prop::collection::vec(anywhere(), 0..8),
        ) {
            let quorum = majority(intervals.len());
            let agreed = agree(&intervals, quorum);
            prop_assert_eq!(agreed, by_trying(&intervals, quorum));
        }

        /// At most m − q liars: there is a result, the truth is in it, and none
        /// of the honest is called a falseticker.
        #[test]
        fn the_truth_is_in_it_while_a_majority_is_honest(
            (honest, liars) in (1..8_usize).prop_flat_map(|voters| {
                let liars = voters - majority(voters);
                (
                    prop::collection::vec(honest(), voters - liars),
                    prop::collection::vec(anywhere(), liars),
                )
            }),
            first in any::<prop::sample::Index>(),
        ) {
            let mut voters: Vec<_> = honest.iter().chain(&liars).copied().collect();
            let turn = first.index(voters.len());
            voters.rotate_left(turn);
            let agreed = vote(&voters);
            let truth = Interval::around(DateTime::UNIX_EPOCH, Duration::ZERO);
            prop_assert!(agreed.is_some_and(|agreed| agreed.overlaps(truth)));
            for place in agreed.map_or(Vec::new(), |agreed| falsetickers(&voters, agreed)) {
                prop_assert!(!voters[place].overlaps(truth));
            }
        }
    }
}

//! Words for people that several sentences share.

/// So many runners.
#[must_use]
pub fn runners(number: usize) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} runner{s}")
}

#[cfg(test)]
mod tests {
    use super::runners;

    #[test]
    fn one_is_one() {
        assert_eq!(
            [0, 1, 2].map(runners),
            ["0 runners", "1 runner", "2 runners"]
        );
    }
}

//! The order in which people look for names: `runner-2` before `runner-10`.

/// What to sort a name by.
#[must_use]
pub fn key(name: &str) -> Vec<(String, u64)> {
    let mut rest = name;
    let mut key = Vec::new();
    while !rest.is_empty() {
        let (text, tail) = split(rest, |c| !c.is_ascii_digit());
        let (digits, tail) = split(tail, |c| c.is_ascii_digit());
        // A number beyond all numbers sorts last.
        key.push((text.to_owned(), digits.parse().unwrap_or(u64::MAX)));
        rest = tail;
    }
    key
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names = ["k6-10-b", "k6-2-a", "k6-2", "a", "k6-10-a", "k6-1"];
        names.sort_by_cached_key(|name| key(name));
        assert_eq!(names, ["a", "k6-1", "k6-2", "k6-2-a", "k6-10-a", "k6-10-b"]);
    }
}

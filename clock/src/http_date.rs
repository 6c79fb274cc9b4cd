//! The time that an HTTP server says it is, in passing.

use chrono::{DateTime, NaiveDateTime, Utc};

/// What a response says of its server's clock, by the values of three of its
/// headers: nothing if a cache or a proxy may have had it in hand, whose clock the
/// `Date` may be, or whose delay (`Age` and `Via`, RFC 9110 §6.6.1 and §7.6.3, RFC
/// 9111 §5.1), nor if the `Date` is not in the one form that servers may send
/// (RFC 9110 §5.6.7).
///
/// The server's clock lay within the second that begins with the result at some
/// moment of the request. Its own error is unknown, so this may warn, and never
/// bound anything nor vote.
pub fn date_witness(
    date: Option<&str>,
    age: Option<&str>,
    via: Option<&str>,
) -> Option<DateTime<Utc>> {
    if age.is_some() || via.is_some() {
        return None;
    }
    let date = NaiveDateTime::parse_from_str(date?.trim(), "%a, %d %b %Y %H:%M:%S GMT");
    Some(date.ok()?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn a_date_at_first_hand_is_a_witness() {
        let expected = "1994-11-06T08:49:37Z".parse().ok();
        assert_eq!(date_witness(Some(DATE), None, None), expected);
        assert_eq!(
            date_witness(Some(" Sun, 06 Nov 1994 08:49:37 GMT "), None, None),
            expected
        );
    }

    #[test]
    fn what_went_through_other_hands_says_nothing() {
        assert_eq!(date_witness(Some(DATE), Some("0"), None), None);
        assert_eq!(date_witness(Some(DATE), None, Some("1.1 proxy")), None);
    }

    #[test]
    fn what_is_no_date_says_nothing() {
        assert_eq!(date_witness(None, None, None), None);
        for date in [
            "",
            "yesterday",
            "1994-11-06T08:49:37Z",
            // Not a Monday.
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 31 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            // Forms that have been obsolete since 1997.
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(date_witness(Some(date), None, None), None, "{date}");
        }
    }
}

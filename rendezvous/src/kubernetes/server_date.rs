//! What time the API server says it is, in passing.

use http::HeaderMap;
use http::header::{AGE, AsHeaderName, DATE, VIA};

/// The headers of an answer that tell of its server's clock (RFC 9110 §6.6.1), as they came. What they are worth is for
/// others to say: with an `Age` or a `Via` somebody else had the answer in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerDate {
    /// `Date`.
    pub date: Option<String>,
    /// `Age`.
    pub age: Option<String>,
    /// `Via`.
    pub via: Option<String>,
}

impl ServerDate {
    /// Of an answer with these headers.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            date: text(headers, DATE),
            age: text(headers, AGE),
            via: text(headers, VIA),
        }
    }
}

/// What is no text is there all the same.
fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_date_is_told_with_what_makes_it_worthless() {
        let mut headers = HeaderMap::new();
        headers.insert(
            DATE,
            HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"),
        );
        let at_first_hand = ServerDate::of(&headers);
        assert_eq!(
            at_first_hand.date.as_deref(),
            Some("Sun, 06 Nov 1994 08:49:37 GMT")
        );
        assert_eq!((at_first_hand.age, at_first_hand.via), (None, None));

        headers.insert(AGE, HeaderValue::from_static("3"));
        headers.insert(VIA, HeaderValue::from_bytes(b"1.1 \xff").unwrap());
        let cached = ServerDate::of(&headers);
        assert_eq!(cached.age.as_deref(), Some("3"));
        assert!(cached.via.is_some(), "though it is no text");
    }
}

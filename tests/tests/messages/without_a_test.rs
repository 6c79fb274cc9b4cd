//! Messages that no test produces yet. The list only ever becomes shorter.

/// As they stand on the page.
pub const WITHOUT_A_TEST: [&str; 1] = ["while waiting: <what>; the instant was kept"];
